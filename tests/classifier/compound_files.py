"""Smallest OLE compound files ([MS-CFB]) and VBA containers ([MS-OVBA]), for tests."""

import struct

_SECTOR = 512
_END, _FREE, _FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
_MINI_LIMIT = 4096


def compound_file(storages: dict[str, dict[str, bytes]], streams: dict[str, bytes]) -> bytes:
    """Return a file with storages of streams, and streams at its root."""
    entries: list[list] = [["Root Entry", 5, b"", _FREE, _FREE]]

    def add(name: str, kind: int, content: bytes = b"") -> int:
        entries.append([name, kind, content.ljust(_MINI_LIMIT, b"\0") if kind == 2 else b"",
                        _FREE, _FREE])  # fmt: skip
        return len(entries) - 1

    def chain(parent: int, children: list[int]) -> None:
        for index, child in enumerate(children):
            if index == 0:
                entries[parent][4] = child
            else:
                entries[children[index - 1]][3] = child

    top = [add(name, 2, content) for name, content in streams.items()]
    for name, inside in storages.items():
        storage = add(name, 1)
        top.append(storage)
        chain(storage, [add(each, 2, content) for each, content in inside.items()])
    chain(0, top)
    return _serialised(entries)


def _serialised(entries: list[list]) -> bytes:
    directory_sectors = -(-len(entries) // 4)
    fat = [_FAT] + [sector + 2 for sector in range(directory_sectors)]
    fat[directory_sectors] = _END
    directory, body = b"", b""
    for name, kind, content, right, child in entries:
        start, sectors = _END, -(-len(content) // _SECTOR)
        if content:
            start = len(fat)
            fat += [start + n + 1 for n in range(sectors - 1)] + [_END]
            body += content.ljust(sectors * _SECTOR, b"\0")
        encoded = (name + "\0").encode("utf-16-le")
        directory += (
            encoded.ljust(64, b"\0")
            + struct.pack("<HBBIII", len(encoded), kind, 1, _FREE, right, child)
            + bytes(36)
            + struct.pack("<IQ", start, len(content))
        )
    directory = directory.ljust(directory_sectors * _SECTOR, b"\0")
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(_SECTOR, b"\xff")
    assert len(table) == _SECTOR
    header = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
        + struct.pack("<HHHHH6xIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, _MINI_LIMIT, _END,
                      0, _END, 0)
        + struct.pack("<I", 0)
    )  # fmt: skip
    return header.ljust(_SECTOR, b"\xff") + table + directory + body


def vba_module(source: str) -> bytes:
    """Return a module's stream: some p-code, then the source, compressed without any saving."""
    content = ('Attribute VB_Name = "M"\r\n' + source).encode("latin-1")
    container = b"\x01"
    for start in range(0, len(content), 3640):
        piece = content[start : start + 3640]
        chunk = b"".join(b"\0" + piece[n : n + 8] for n in range(0, len(piece), 8))
        container += struct.pack("<H", 0xB000 | (len(chunk) - 1)) + chunk
    return b"\x16\x03 compiled" + container


def macro_project(source: str) -> bytes:
    """Return a vbaProject.bin with one module."""
    return compound_file({"VBA": {"M": vba_module(source), "_VBA_PROJECT": b"\xcc\x61"}}, {})
