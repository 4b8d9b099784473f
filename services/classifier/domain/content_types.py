"""What a file is by its first bytes, and what Windows makes of its name."""

from services.classifier.domain.mail import Attachment

MIN_MZ_BYTES = 64

#: Opens a program at a double-click.
PROGRAM_EXTENSIONS = frozenset(
    [
        "exe",
        "scr",
        "pif",
        "com",
        "cpl",
        "msi",
        "msp",
        "mst",
        "dll",
        "ocx",
        "sys",
        "jar",
        "jnlp",
        "hta",
        "js",
        "jse",
        "vbs",
        "vbe",
        "wsf",
        "wsh",
        "wsc",
        "sct",
        "ps1",
        "psm1",
        "bat",
        "cmd",
        "lnk",
        "reg",
        "inf",
        "scf",
        "settingcontent-ms",
        "appref-ms",
        "application",
        "gadget",
        "msc",
        "chm",
        "xll",
        "wll",
        "library-ms",
        "search-ms",
        "msix",
        "msixbundle",
        "appx",
        "appinstaller",
        "ps1xml",
        "iqy",
        "slk",
        "diagcab",
        "theme",
    ]
)
#: A disk inside a file: what it holds loses the mark of having come from the Internet.
DISK_EXTENSIONS = frozenset(("iso", "img", "vhd", "vhdx", "udf", "dmg", "daa"))
#: Looks harmless, for a name with two extensions.
DOCUMENT_EXTENSIONS = frozenset(
    [
        "pdf",
        "doc",
        "docx",
        "xls",
        "xlsx",
        "ppt",
        "pptx",
        "txt",
        "rtf",
        "jpg",
        "jpeg",
        "png",
        "gif",
        "htm",
        "html",
        "zip",
        "csv",
        "mp3",
        "mp4",
    ]
)
PROGRAM_TYPES = frozenset(("pe", "elf", "macho", "lnk", "msi", "jar", "dex"))


def true_type(content: bytes) -> str:
    """Return what the bytes are: a short word, or "" where they do not say."""
    head = content[:16]
    for mark, kind in _MARKS:
        if head.startswith(mark):
            return kind
    if head.startswith(b"MZ") and len(content) > MIN_MZ_BYTES:
        offset = int.from_bytes(content[60:64], "little")
        return "pe" if content[offset : offset + 2] in (b"PE", b"NE", b"LE", b"LX") else "mz"
    if content[32769:32774] == b"CD001":
        return "iso"
    if content[-512:-504] == b"conectix":
        return "vhd"
    return _text_type(content)


_MARKS = (
    (b"\x7fELF", "elf"),
    (b"\xfe\xed\xfa\xce", "macho"),
    (b"\xfe\xed\xfa\xcf", "macho"),
    (b"\xce\xfa\xed\xfe", "macho"),
    (b"\xcf\xfa\xed\xfe", "macho"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", "lnk"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", "onenote"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"Rar!\x1a\x07", "rar"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"conectix", "vhd"),
    (b"vhdxfile", "vhd"),
    (b"ITSF", "chm"),
    (b"MSCF", "cab"),
    (b"%PDF-", "pdf"),
    (b"{\\rtf", "rtf"),
    (b"dex\n", "dex"),
    (b"\x1f\x8b", "gzip"),
    (b"\x89PNG", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"BM", ""),
)


def _text_type(content: bytes) -> str:
    start = content[:2048].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower().replace(b"\0", b"")
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<meta")):
        return "hta" if b"<hta:application" in start else "html"
    if start.startswith(b"<svg") or (start.startswith(b"<?xml") and b"<svg" in start):
        return "svg"
    return "script" if start.startswith(b"#!/") else ""


def extensions(name: str) -> tuple[str, ...]:
    """Return the last two extensions of a name, the outermost last, lower case."""
    pieces = name.lower().rstrip(" .\u00a0\u3000").split(".")[1:]
    return tuple(piece.strip() for piece in pieces[-2:])


def kind(attachment: Attachment) -> str:
    """Return an attachment's true type."""
    return true_type(attachment.content)
