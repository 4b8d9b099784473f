"""What went in against what came out: every message judged once, every bad one taken back once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.e2e.mail import Mail
from tests.e2e.microsoft import Copy, Microsoft
from tests.e2e.record import Recorded
from tests.e2e.tenant import PEOPLE

_GONE = "recoverableitemsdeletions"


@dataclass(frozen=True)
class Counts:
    """How many messages got how far."""

    sent: int
    accepted: int
    classified: int
    audited: int
    bad: int
    retracted: int

    def __str__(self) -> str:
        return (
            f"sent={self.sent} accepted={self.accepted} classified={self.classified}"
            f" audited={self.audited} bad={self.bad} retracted={self.retracted}"
        )

    def assert_equal(self) -> None:
        """Nothing is lost, and nothing is there twice."""
        assert {self.accepted, self.classified, self.audited} == {self.sent}, str(self)
        assert self.retracted == self.bad, str(self)


def some_mail(first: int, count: int) -> list[Mail]:
    """Every third message is bad, and every fourth has several recipients."""
    return [
        Mail(
            number,
            is_bad=number % 3 == 0,
            to=tuple(PEOPLE[(number + place) % len(PEOPLE)] for place in range(1 + number % 4)),
        )
        for number in range(first, first + count)
    ]


def about(record: Sequence[Recorded], mails: Sequence[Mail]) -> list[Recorded]:
    """Return what a record holds about some messages and the retractions that followed."""
    ids = {mail.internet_message_id for mail in mails}
    found = [each for each in record if each.body.get("internet_message_id") in ids]
    wanted = {each.body["retraction_id"] for each in of_type(found, "mail.retract.v1")}
    told = [each for each in record if each.body.get("retraction_id") in wanted]
    return list({id(each): each for each in (*found, *told)}.values())


def of_type(record: Sequence[Recorded], type_: str) -> list[Recorded]:
    return [each for each in record if each.type == type_]


def is_at_rest(record: Sequence[Recorded], mails: Sequence[Mail]) -> bool:
    """Every report is judged, and every retraction that follows has ended."""
    record = about(record, mails)
    judged = of_type(record, "mail.classified.v1")
    wanted = {each.body["retraction_id"] for each in judged} - {None}
    ended = {each.body["retraction_id"] for each in of_type(record, "retraction.finished.v1")}
    return len(judged) >= len(mails) and wanted <= ended


def count(
    mails: Sequence[Mail],
    accepted: Sequence[Mail],
    record: Sequence[Recorded],
    mailboxes: Microsoft,
) -> Counts:
    """Count at the sender, on the record and in mailboxes; what is there twice counts twice."""
    record = about(record, mails)
    copies = mailboxes.copies()
    return Counts(
        sent=len(mails),
        accepted=len(set(accepted) & set(mails)),
        classified=len(of_type(record, "mail.classified.v1")),
        audited=len(of_type(record, "mail.journaled.v1")),
        bad=sum(mail.is_bad for mail in mails),
        retracted=sum(_is_taken_back(copies, mail) for mail in mails),
    )


def _is_taken_back(copies: Sequence[Copy], mail: Mail) -> bool:
    own = [each for each in copies if each["internet_message_id"] == mail.internet_message_id]
    return len(own) == len(mail.to) and {each["folder"] for each in own} == {_GONE}


def assert_each_is_judged_once(record: Sequence[Recorded], mails: Sequence[Mail]) -> None:
    record = about(record, mails)
    expected = Counter(mail.internet_message_id for mail in mails)
    for type_ in ("mail.journaled.v1", "mail.classified.v1"):
        told = of_type(record, type_)
        assert Counter(each.body["internet_message_id"] for each in told) == expected
        assert len({each.body["report_key"] for each in told}) == len(mails)
        assert len({each.message_id for each in told}) == len(mails)


def assert_each_bad_one_is_taken_back_once(
    record: Sequence[Recorded], mails: Sequence[Mail]
) -> None:
    record = about(record, mails)
    bad = {mail.internet_message_id: mail for mail in mails if mail.is_bad}
    asked = of_type(record, "mail.retract.v1")
    ids = {each.body["retraction_id"]: each.body["internet_message_id"] for each in asked}
    assert sorted(ids.values()) == sorted(bad)
    assert len(asked) == len(bad)

    finished = of_type(record, "retraction.finished.v1")
    assert sorted(each.body["retraction_id"] for each in finished) == sorted(ids)
    assert {each.body["status"] for each in finished} <= {"finished"}

    settled = of_type(record, "copy.settled.v1")
    copies = [(ids[each.body["retraction_id"]], each.body["mailbox"]) for each in settled]
    assert sorted(copies) == sorted(
        (key, mailbox) for key, mail in bad.items() for mailbox in mail.to
    )
    assert {each.body["outcome"] for each in settled} <= {"moved", "already_there"}


def assert_mailboxes_are_as_they_should_be(mailboxes: Microsoft, mails: Sequence[Mail]) -> None:
    is_bad = {mail.internet_message_id: mail.is_bad for mail in mails}
    copies = [copy for copy in mailboxes.copies() if copy["internet_message_id"] in is_bad]
    assert len(copies) == sum(len(mail.to) for mail in mails)
    for copy in copies:
        is_gone = is_bad[copy["internet_message_id"]]
        assert copy["folder"] == (_GONE if is_gone else "inbox")
        assert len(copy["history"]) == int(is_gone)  # moved once, and not again after a crash
