import base64

import pytest

from libs.graph_simulator.world import ids

MAILBOX = "b64eae5e-258c-4283-bfa9-098bbda3174a"
STORE = bytes(range(16))
#: The inbox of Microsoft's own examples.
PUBLIC_FOLDER = (
    "AAMkAGI2NGVhZTVlLTI1OGMtNDI4My1iZmE5LTA5OGJiZGEzMTc0YQAuAAAAAADUuTJK1K9aTpCdqXop_4NaAQCd9nJ"
    "-tVysQos2hTfspaWRAAAAAAEMAAA="
)
#: From a public pull request.
PUBLIC_IMMUTABLE = "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A2lcW9Zl8mk2NWtdO8T_CbwAHVZHSDgAA"


def test_a_folder_id_seen_in_public_is_read_as_such():
    parsed = ids.parse(PUBLIC_FOLDER)

    assert (parsed.kind, parsed.mailbox_guid) == ("folder", MAILBOX)


def test_an_immutable_id_seen_in_public_is_read_as_such():
    assert ids.parse(PUBLIC_IMMUTABLE).kind == "immutable"


def test_ids_begin_as_those_of_exchange_do():
    guid = bytes(16)

    assert ids.folder_id(MAILBOX, STORE, 1)[:4] == "AAMk"
    assert ids.item_id(MAILBOX, STORE, 1, 2, compress=False)[:4] == "AAMk"
    assert ids.conversation_id(MAILBOX, guid)[:4] == "AAQk"
    assert ids.immutable_id(STORE, 2)[:36] == PUBLIC_IMMUTABLE[:36]
    assert ids.folder_id(MAILBOX, STORE, 1, compress=True)[:4] == "AQMk"
    assert ids.conversation_id(MAILBOX, guid, compress=True)[:4] == "AQQk"


def test_ids_have_the_lengths_of_exchange_s():
    lengths = [
        len(ids.folder_id(MAILBOX, STORE, 1)),
        len(ids.item_id(MAILBOX, STORE, 1, 2, compress=False)),
        len(ids.conversation_id(MAILBOX, bytes(16))),
        len(ids.immutable_id(STORE, 2)),
    ]

    assert lengths == [120, 152, 80, 68]


def test_a_conversation_id_ends_with_its_guid():
    guid = bytes.fromhex("00112233445566778899aabbccddeeff")

    raw = base64.b64decode(ids.conversation_id(MAILBOX, guid).translate({45: "/", 95: "+"}))

    assert raw[-16:] == guid
    assert raw[4:40].decode() == MAILBOX


@pytest.mark.parametrize("compress", [False, True])
def test_ids_of_all_kinds_are_read_back(compress: bool):
    guid = bytes(4) + b"\x07" * 12

    read = [
        ids.parse(text)
        for text in (
            ids.folder_id(MAILBOX, STORE, 7, compress=compress),
            ids.item_id(MAILBOX, STORE, 7, 9, compress=compress),
            ids.conversation_id(MAILBOX, guid, compress=compress),
        )
    ]

    assert [one.kind for one in read] == ["folder", "item", "conversation"]
    assert {one.mailbox_guid for one in read} == {MAILBOX}
    assert read[2].payload == guid


def test_runs_are_written_as_in_compressed_ids_of_exchange():
    # `00034001-…` in ids of outlook.com: two equal bytes, then how many more follow.
    assert ids.compress(b"00034001") == b"00\x01" + b"34" + b"00\x00" + b"1"
    assert ids.expand(b"00\x01" + b"34" + b"00\x00" + b"1") == b"00034001"


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "nonsense",
        "AAMk",
        PUBLIC_FOLDER[:-8],
        PUBLIC_FOLDER + "AAAA",
        PUBLIC_FOLDER.replace("AAMk", "AAZk"),
        PUBLIC_FOLDER.replace("-", "/"),
        PUBLIC_IMMUTABLE[:-4],
        "Ä" * 8,
        "AQ" + "A" * 998,
        "A" * 2000,
    ],
)
def test_what_is_no_id_is_malformed(damaged: str):
    with pytest.raises(ids.MalformedIdError):
        ids.parse(damaged)
