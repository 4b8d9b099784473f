"""Whether the demonstration would notice that its record and the mailboxes disagree."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest

from libs.common.contracts.mail import (
    Direction,
    Envelope,
    KeyHeaders,
    MailClassified,
    MailJournaled,
    RawMail,
    Reason,
    Source,
)
from libs.common.contracts.retraction import CopySettled
from libs.graph_simulator.admin.states import CopyState
from libs.graph_simulator.world.items import FolderChange
from services.demo import testimony
from services.demo.outcome import by_disposition, copy_rows, median_seconds, message_rows

_AT = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
_SHA = "0" * 64
_PLACES = {
    "junk": "junkemail",
    "trash": "deleteditems",
    "soft_delete": "recoverableitemsdeletions",
    "hard_delete": "recoverableitemspurges",
}


def copy_in(folder, *before, subject="Offer", message_id="<m@x.example>", immutable_id="i1"):
    """A copy that lies in a folder, after it lay in others, a second in each."""
    stations = [*before, folder]
    changes = tuple(
        FolderChange(_AT + timedelta(seconds=number), old, new, "application")
        for number, (old, new) in enumerate(pairwise(stations), start=1)
    )
    return CopyState(
        tenant="t",
        mailbox="Ada@x.example",
        mailbox_kind="user",
        user_id="u",
        folder=folder,
        folder_id="f",
        graph_message_id="g",
        immutable_id=immutable_id,
        internet_message_id=message_id,
        subject=subject,
        is_read=False,
        is_sent=False,
        categories=(),
        wants_read_receipt=False,
        wants_non_receipt=False,
        conversation_id="c",
        conversation_guid="c",
        conversation_index="",
        conversation_depth=0,
        delivered_at=_AT,
        moved_at=changes[-1].at if changes else None,
        history=changes,
    )


def word(outcome, destination="soft_delete", graph_message_id="i1", **more):
    """What our record says of that copy."""
    fields = {
        "tenant": "northwind",
        "retraction_id": uuid4(),
        "copy_id": uuid4(),
        "mailbox": "ada@x.example",
        "internet_message_id": "<m@x.example>",
        "graph_message_id": graph_message_id,
        "destination": destination,
        "outcome": outcome,
        "automatic": True,
        "settled_at": _AT,
    }
    return CopySettled.model_validate(fields | more)


def recorded(*words, verdicts=()):
    record = testimony.Testimony()
    for each in words:
        record._settle(each)
    for number, (subject, disposition) in enumerate(verdicts):
        key = f"{number:064d}"
        record.journaled[key] = _report(key, subject)
        record.classified[key] = _verdict(key, disposition)
    return record


def _report(key, subject):
    return MailJournaled(
        tenant="northwind",
        report_key=key,
        message_key=key,
        internet_message_id="<m@x.example>",
        envelope=Envelope(sender="eve@y.example", recipients=()),
        source=Source(kind="journal", listener="default", peer="::1", tls=False, proof="token"),
        raw=RawMail(
            store_key="k",
            sha256=_SHA,
            size_bytes=1,
            original_offset=0,
            original_size_bytes=1,
            original_sha256=_SHA,
        ),
        headers=KeyHeaders(subject=subject),
        direction=Direction.INBOUND,
        received_at=_AT,
    )


def _verdict(key, disposition):
    return MailClassified(
        tenant="northwind",
        report_key=key,
        message_key=key,
        internet_message_id="<m@x.example>",
        disposition=disposition,
        reasons=(Reason(code="deceptive_link", detail="shows one address, leads to another"),),
        score=0.5,
        action="soft_delete",
        policy_version="1",
    )


def row_of(copy, *words):
    (row,) = copy_rows([copy], recorded(*words))
    return row


@pytest.mark.parametrize(("destination", "folder"), _PLACES.items())
@pytest.mark.parametrize("outcome", ["moved", "already_there"])
def test_a_copy_agrees_where_it_lies_in_the_folder_of_its_destination(outcome, destination, folder):
    row = row_of(copy_in(folder, "inbox"), word(outcome, destination))

    assert row.agrees
    assert (row.folder_before, row.folder_after) == ("inbox", folder)


@pytest.mark.parametrize(("destination", "folder"), _PLACES.items())
def test_a_copy_that_only_the_record_moved_disagrees(destination, folder):
    assert not row_of(copy_in("inbox"), word("moved", destination)).agrees


def test_a_copy_in_another_folder_than_its_destinations_disagrees():
    assert not row_of(copy_in("deleteditems", "inbox"), word("moved", "soft_delete")).agrees


def test_a_copy_that_went_without_a_word_in_the_record_disagrees():
    row = row_of(copy_in("recoverableitemsdeletions", "inbox"))

    assert (row.outcome, row.destination) == ("untouched", "none")
    assert not row.agrees


@pytest.mark.parametrize("outcome", ["refused", "failed", "absent", "untouched"])
def test_a_copy_that_was_left_alone_agrees_only_where_it_stays(outcome):
    assert row_of(copy_in("inbox"), word(outcome)).agrees
    assert not row_of(copy_in("junkemail", "inbox"), word(outcome)).agrees


def test_a_restored_copy_agrees_where_it_lies_where_it_came_from():
    back = word("restored", "original")

    assert row_of(copy_in("inbox", "inbox", "junkemail"), back).agrees
    assert not row_of(copy_in("junkemail", "inbox"), back).agrees


def test_the_latest_word_on_a_copy_counts_in_whatever_order_it_is_read():
    first = word("moved", "junk")
    second = word("restored", "original", settled_at=_AT + timedelta(seconds=2))

    for words in ((first, second), (second, first)):
        assert row_of(copy_in("inbox", "inbox", "junkemail"), *words).outcome == "restored"


def test_a_copy_that_was_refused_unseen_is_known_by_its_message_id():
    row = row_of(
        copy_in("inbox"), word("refused", graph_message_id=None, reason="protected_mailbox")
    )

    assert (row.outcome, row.reason) == ("refused", "protected_mailbox")


def test_a_word_on_one_copy_is_none_on_another_in_the_same_mailbox():
    copies = [copy_in("recoverableitemsdeletions", "inbox"), copy_in("inbox", immutable_id="i2")]

    moved, other = copy_rows(copies, recorded(word("moved")))

    assert (moved.outcome, other.outcome) == ("moved", "untouched")


def test_messages_of_one_message_id_keep_their_own_verdicts():
    told = recorded(verdicts=[("Offer", "none"), ("Verify now", "malicious")])
    copies = [copy_in("inbox"), copy_in("inbox", subject="Verify now", immutable_id="i2")]

    assert [row.disposition for row in copy_rows(copies, told)] == ["none", "malicious"]
    assert by_disposition(told) == {
        "malicious": 1,
        "suspicious": 0,
        "spoof": 0,
        "spam": 0,
        "bulk": 0,
        "none": 1,
    }


def test_removal_is_timed_from_delivery_to_the_first_move():
    row = row_of(copy_in("inbox", "inbox", "junkemail"), word("restored", "original"))
    stays = row_of(copy_in("inbox"))

    assert row.seconds_to_removal == 1.0
    assert stays.seconds_to_removal is None
    assert median_seconds([row, stays]) == 1.0
    assert median_seconds([stays]) is None


def test_people_see_a_line_for_each_message_with_its_first_reason():
    told = recorded(word("moved"), verdicts=[("Offer", "malicious")])
    rows = copy_rows([copy_in("recoverableitemsdeletions", "inbox")], told)

    (line,) = message_rows(rows, told)

    assert line["message"] == "Offer"
    assert line["reason"] == "shows one address, leads to another"
    assert (line["copies"], line["became"], line["to"]) == (1, "1 moved", ["soft_delete"])
