"""Programs, whatever they are called, and names that hide one."""

import re
from collections.abc import Iterator

from services.classifier.domain.case import Case
from services.classifier.domain.content_types import (
    DISK_EXTENSIONS,
    DOCUMENT_EXTENSIONS,
    PROGRAM_EXTENSIONS,
    extensions,
    kind,
)
from services.classifier.domain.mail import Attachment
from services.classifier.domain.reasons import Reason, quote

#: The industry's harmless test file (eicar.org), in pieces, so that no scanner stops at this one.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}" + b"$" + b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
MAX_EICAR_OFFSET = 4096
_OVERRIDE = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_BLANKS = re.compile(r"\.\w{2,5}[\s\u00a0_]{8,}\.\w{2,5}$")
_EMBEDDED_FILE = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")


def reasons(case: Case) -> Iterator[Reason]:
    """Yield programs among the attachments."""
    if EICAR in case.mail.text.encode("utf-8", "replace")[:MAX_EICAR_OFFSET]:
        yield Reason("test_virus", "the text is the EICAR test file")
    for attachment in case.mail.attachments:
        yield from _content(attachment)
        yield from _name(attachment)


def _content(attachment: Attachment) -> Iterator[Reason]:
    name, true = quote(attachment.name), kind(attachment)
    if EICAR in attachment.content[:MAX_EICAR_OFFSET]:
        yield Reason("test_virus", f"{name} holds the EICAR test file")
    if true in ("pe", "lnk", "hta", "chm"):
        yield Reason("executable", f"{name} is a program by its content ({true})")
        if attachment.extension in DOCUMENT_EXTENSIONS:
            yield Reason("executable_disguised", f"{name} is a program ({true})")
    elif true in ("elf", "macho", "dex", "mz"):
        yield Reason("foreign_executable", f"{name} is a program by its content ({true})")
    elif true in ("iso", "vhd") or attachment.extension in DISK_EXTENSIONS:
        yield Reason("disk_image", f"{name} is a disk image")
    elif true == "onenote":
        is_loaded = _EMBEDDED_FILE in attachment.content
        code = "notebook_with_file" if is_loaded else "notebook"
        yield Reason(code, f"{name} is a OneNote section")


def _name(attachment: Attachment) -> Iterator[Reason]:
    parts = extensions(attachment.name)
    if not parts:
        return
    if parts[-1] in PROGRAM_EXTENSIONS and not _is_harmless_com(attachment, parts):
        yield Reason("executable", f"{quote(attachment.name)} starts a program")
        if len(parts) > 1 and parts[0] in DOCUMENT_EXTENSIONS:
            yield Reason("executable_disguised", f"{quote(attachment.name)} has two extensions")
    if _OVERRIDE.search(attachment.name):
        yield Reason("executable_disguised", f"{quote(attachment.name)} reverses its letters")
    if _BLANKS.search(attachment.name):
        yield Reason("executable_disguised", f"{quote(attachment.name)} pushes its end out of view")


def _is_harmless_com(attachment: Attachment, parts: tuple[str, ...]) -> bool:
    """A name such as `www.example.com` on text or an image is no program."""
    return parts[-1] == "com" and (
        attachment.content_type.startswith(("text/", "image/", "message/"))
        or kind(attachment) in ("image", "html", "pdf")
    )
