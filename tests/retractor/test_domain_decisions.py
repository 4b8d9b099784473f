"""The guard, and which command wins."""

import pytest

from libs.common.contracts.retraction import Destination
from libs.common.tenants.model import PublisherRights
from services.retractor.domain.desired import CopyState, Wish, objection, origin_of
from services.retractor.domain.guard import Cleared, Held, Refused, Request, clear, refusal
from tests.retractor.rig import configuration

SOFT = Destination.SOFT_DELETE
RIGHTS = PublisherRights(name="soar", types=("mail.*",), tenants=("acme",), destinations=("junk",))
EVERYTHING = PublisherRights(name="cli", types=("*",))


def request(**changes):
    facts = {
        "publisher": "cli",
        "type": "mail.retract.v1",
        "tenant": "acme",
        "destination": SOFT,
        "automatic": False,
    }
    return Request(**(facts | changes))


def tenant(**changes):
    return configuration(**changes).tenants[0]


@pytest.mark.parametrize(
    ("asked", "rights", "known", "reason"),
    [
        (request(), EVERYTHING, True, None),
        (request(), None, True, "not_authorised"),
        (request(type="retraction.restore.v1"), RIGHTS, True, "not_authorised"),
        (request(tenant="other"), RIGHTS, True, "not_authorised"),
        (request(), None, False, "not_authorised"),
        (request(), EVERYTHING, False, "unknown_tenant"),
        (request(), RIGHTS, False, "unknown_tenant"),
        (request(), RIGHTS, True, "destination_not_allowed"),
        (request(destination=Destination.JUNK), RIGHTS, True, None),
    ],
)
def test_whole_commands_are_refused_in_this_order(asked, rights, known, reason):
    assert refusal(asked, rights, tenant() if known else None) == (
        Refused(reason) if reason else None
    )


A, B, C = "a@acme.example", "b@acme.example", "c@acme.example"


@pytest.mark.parametrize(
    ("changes", "asked", "more", "decision"),
    [
        ({}, {}, {}, Cleared((A, B))),
        ({"protected_mailboxes": (A,)}, {}, {}, Cleared((B,), {A: "protected_mailbox"})),
        ({"vip_mailboxes": (A,)}, {}, {}, Cleared((B,), {}, {A: "vip_mailbox"})),
        ({"vip_mailboxes": (A, B)}, {}, {}, Held("vip_mailbox")),
        (
            {"vip_mailboxes": (A,), "protected_mailboxes": (A,)},
            {},
            {},
            Cleared((B,), {A: "protected_mailbox"}),
        ),
        ({"limits": {"mailboxes_per_request": 2}}, {}, {}, Cleared((A, B))),
        (
            {"limits": {"mailboxes_per_request": 2}},
            {},
            {"touched_before": 1},
            Held("mailboxes_per_request"),
        ),
        (
            {"limits": {"mailboxes_per_request": 1}, "protected_mailboxes": (A,)},
            {},
            {},
            Cleared((B,), {A: "protected_mailbox"}),
        ),
        ({"limits": {"mailboxes_per_hour": 3}}, {}, {"used_this_hour": 2}, Cleared((A, B))),
        (
            {"limits": {"approve_hard_delete": True}},
            {"destination": Destination.HARD_DELETE},
            {},
            Held("hard_delete_needs_approval"),
        ),
    ],
)
def test_mailboxes_are_cleared_left_out_or_held(changes, asked, more, decision):
    assert (
        clear(request(**asked), EVERYTHING, tenant(**changes), [B, A.upper()], **more) == decision
    )


@pytest.mark.parametrize(
    ("publisher", "decision"),
    [
        ({"name": "classifier"}, Held("mailboxes_per_hour")),
        ({"name": "soar"}, Held("mailboxes_per_hour")),
        ({"name": "console", "asserts_persons": True}, Cleared((A, B))),
        ({"name": "cli"}, Cleared((A, B))),
    ],
)
def test_whoever_stands_for_no_person_counts_by_the_hour(publisher, decision):
    rights = EVERYTHING.model_copy(update=publisher)
    limited = tenant(limits={"mailboxes_per_hour": 3})
    assert clear(request(), rights, limited, [A, B], used_this_hour=2) == decision
    assert clear(request(), rights, limited, [A], used_this_hour=2) == Cleared((A,))


def test_a_publishers_own_limit_counts_where_it_is_lower():
    narrow = EVERYTHING.model_copy(update={"mailboxes_per_request": 1})
    assert clear(request(), narrow, tenant(), [A, B]) == Held("mailboxes_per_request")


def wish(destination, sequence, automatic):
    return Wish(Destination(destination), sequence, automatic)


PERSON, MACHINE = False, True


@pytest.mark.parametrize(
    ("current", "exempt", "new", "reason"),
    [
        (wish("junk", 1, MACHINE), False, wish("trash", 2, MACHINE), None),
        (wish("junk", 1, MACHINE), False, wish("junk", 2, MACHINE), None),
        (wish("trash", 1, MACHINE), False, wish("junk", 2, MACHINE), "never_weakened"),
        (wish("trash", 2, MACHINE), False, wish("soft_delete", 1, MACHINE), None),
        (wish("trash", 2, MACHINE), False, wish("trash", 1, MACHINE), "superseded"),
        (wish("trash", 2, MACHINE), False, wish("junk", 1, MACHINE), "superseded"),
        (wish("trash", 2, MACHINE), True, wish("soft_delete", 1, MACHINE), "exempt"),
        (wish("original", 2, PERSON), False, wish("soft_delete", 1, MACHINE), "superseded"),
        (wish("trash", 1, PERSON), False, wish("hard_delete", 2, MACHINE), "superseded"),
        (wish("trash", 2, MACHINE), False, wish("junk", 1, PERSON), None),
        (wish("trash", 1, PERSON), False, wish("junk", 2, PERSON), None),
        (wish("trash", 2, PERSON), False, wish("junk", 1, PERSON), "superseded"),
        (wish("trash", 1, PERSON), False, wish("trash", 1, PERSON), None),
        (wish("original", 1, PERSON), True, wish("junk", 2, MACHINE), "exempt"),
        (wish("original", 1, PERSON), True, wish("junk", 2, PERSON), None),
    ],
)
def test_which_wish_stands(current, exempt, new, reason):
    assert objection(CopyState(current, exempt, None, None, None), new) == reason


def test_nothing_stands_against_the_first_wish():
    assert objection(None, wish("junk", 1, MACHINE)) is None


def test_the_origin_is_the_last_folder_that_was_not_of_our_choosing():
    state = CopyState(wish("junk", 1, PERSON), False, "inbox", False, "junk")

    assert origin_of(None, "projects", True) == ("projects", True)
    assert origin_of(state, "junk", True) == ("inbox", False)
    assert origin_of(state, "projects", True) == ("projects", True)
