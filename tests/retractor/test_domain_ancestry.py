"""Who descends from whom."""

from datetime import UTC, datetime, timedelta

import pytest

from services.retractor.domain.ancestry import Ancestor, as_ancestor, descendants, is_index
from services.retractor.domain.mail import Fingerprint, FoundCopy

NOW = datetime(2026, 1, 5, tzinfo=UTC)
ROOT_INDEX = b"\x01" + bytes(range(21))


def item(name, index=b"", reply_to=None, references=(), minutes=10):
    return FoundCopy(
        graph_message_id=name,
        internet_message_id=f"<{name}>",
        folder_id="inbox",
        fingerprint=Fingerprint(None, None, None),
        received_at=NOW + timedelta(minutes=minutes),
        is_read=True,
        conversation_index=index,
        in_reply_to=reply_to and f"<{reply_to}>",
        references=tuple(f"<{one}>" for one in references),
    )


def step(index, byte):
    return index + bytes([byte]) * 5


ROOT = item("root", ROOT_INDEX, minutes=0)
REPLY = step(ROOT_INDEX, 1)


def found(*items, depth=5, trust=True, roots=None):
    pairs = descendants(
        items,
        roots or [as_ancestor(ROOT, 0)],
        max_depth=depth,
        trust_message_ids=trust,
    )
    return {one.graph_message_id: (how.depth, how.matched_by) for one, how in pairs}


def test_five_bytes_are_a_generation():
    assert found(item("a", REPLY), item("b", step(REPLY, 2))) == {
        "a": (1, "conversation_index"),
        "b": (2, "conversation_index"),
    }


def test_parents_and_siblings_are_no_descendants():
    reply = item("reply", REPLY, minutes=0)
    family = [item("parent", ROOT_INDEX), item("sibling", step(ROOT_INDEX, 9))]
    assert found(*family, roots=[as_ancestor(reply, 0)]) == {}


def test_without_an_index_in_reply_to_counts_and_leads_on():
    assert found(item("a", reply_to="root"), item("b", reply_to="a")) == {
        "a": (1, "in_reply_to"),
        "b": (2, "in_reply_to"),
    }


def test_references_count_by_their_place_from_the_end():
    assert found(item("a", references=["old", "root", "lost"])) == {"a": (2, "references")}


def test_no_deeper_than_asked():
    chain = [item("a", REPLY), item("b", step(REPLY, 2)), item("c", reply_to="b")]
    assert set(found(*chain, depth=1)) == {"a"}
    assert found(*chain, depth=0) == {}


def test_on_a_colliding_message_id_only_the_index_counts():
    assert found(item("a", reply_to="root"), item("b", REPLY), trust=False) == {
        "b": (1, "conversation_index")
    }


def test_an_index_that_a_stranger_shares_proves_nothing():
    stranger = item("stranger", ROOT_INDEX)
    assert found(stranger, item("a", REPLY)) == {}


def test_what_is_older_is_no_reply():
    assert found(item("a", REPLY, minutes=-60)) == {}


def test_the_retracted_message_is_no_reply_to_itself():
    assert found(item("root", ROOT_INDEX, reply_to="root")) == {}


def test_a_loop_of_references_ends():
    assert set(found(item("a", reply_to="b"), item("b", reply_to="a"))) == set()


@pytest.mark.parametrize(
    ("index", "usable"),
    [
        (ROOT_INDEX, True),
        (REPLY, True),
        (b"", False),
        (ROOT_INDEX[:21], False),
        (b"\x02" + ROOT_INDEX[1:], False),
        (ROOT_INDEX + b"abc", False),
    ],
)
def test_only_whole_indexes_are_reasoned_with(index, usable):
    assert is_index(index) is usable
    if not usable:
        root = Ancestor("<root>", index, 0, None)
        assert found(item("a", index + b"12345"), roots=[root]) == {}
