import base64
from datetime import UTC, datetime, timedelta

import pytest

from libs.graph_simulator.world import conversations

AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
GUID = bytes(range(16))
#: A header of a real message.
PUBLIC = "AdQevlbtPhaFiSQrR86XD+E6BAuhBg=="


def test_a_conversation_begins_with_22_bytes_of_which_the_first_is_one():
    index = conversations.new_index(AT, GUID)

    assert (len(index), index[0]) == (22, 1)
    assert conversations.guid_of(index) == GUID


def test_the_time_of_a_real_header_is_that_of_its_message():
    index = conversations.from_thread_index(PUBLIC)

    assert index is not None
    # 18 July 2018, when the sample was sent.
    assert conversations.new_index(datetime(2018, 7, 18, tzinfo=UTC), GUID)[:3] == index[:3]


def test_each_answer_adds_five_bytes_and_keeps_what_was_before():
    first = conversations.new_index(AT, GUID)
    second = conversations.child_index(first, AT + timedelta(minutes=5), 7)
    third = conversations.child_index(second, AT + timedelta(days=900), 8)

    assert [len(first), len(second), len(third)] == [22, 27, 32]
    assert third.startswith(second)
    assert second.startswith(first)
    assert third[27] & 0x80, "an answer after two years has the coarse unit"


def test_a_chain_at_its_longest_grows_no_more():
    index = conversations.new_index(AT, GUID)
    for _ in range(400):
        index = conversations.child_index(index, AT, 0)

    assert (len(index) - 22) // 5 == 250


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "not base64!",
        base64.b64encode(bytes(22)).decode(),
        base64.b64encode(b"\x01" * 21).decode(),
        base64.b64encode(b"\x01" * 24).decode(),
        "AQ" * 10_000,
    ],
)
def test_a_header_that_is_no_index_counts_for_nothing(header: str | None):
    assert conversations.from_thread_index(header) is None


def test_a_folded_header_is_read():
    assert conversations.from_thread_index(f"{PUBLIC[:10]}\r\n {PUBLIC[10:]}") is not None


def test_topics_that_differ_in_case_only_are_one_conversation():
    assert conversations.topic_hash("Invoice") == conversations.topic_hash("INVOICE")
    assert len(conversations.topic_hash("x" * 999)) == 16
