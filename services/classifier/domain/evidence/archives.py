"""Archives, by the names in their directory: nothing is unpacked."""

import io
import re
import zipfile
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

MAX_ENTRIES = 5_000
_ENCRYPTED_FLAG = 0x1
_PASSWORD = re.compile(
    r"\b(?:archive |zip |file )?(?:password|passcode|passwort|kennwort|mot de passe|contrase[nñ]a"
    r"|senha|wachtwoord|пароль)\b\s*(?:is|ist|est|es|:|=)",
    re.IGNORECASE,
)


def reasons(case: Case) -> Iterator[Reason]:
    """Yield programs inside archives, and archives that only the reader can open."""
    for attachment in case.mail.attachments:
        if kind(attachment) == "zip":
            yield from _zip(case, attachment)


def _zip(case: Case, attachment: Attachment) -> Iterator[Reason]:
    try:
        with zipfile.ZipFile(io.BytesIO(attachment.content)) as archive:
            entries = archive.infolist()[:MAX_ENTRIES]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, IndexError):
        return
    if attachment.extension == "jar" or any(e.filename.endswith(".class") for e in entries[:50]):
        return
    if any(entry.flag_bits & _ENCRYPTED_FLAG for entry in entries):
        yield Reason("encrypted", f"{quote(attachment.name)} opens with a password")
        if _PASSWORD.search(case.mail.text):
            yield Reason("password_in_text", f"the text tells the password of {attachment.name}")
    yield from _programs(attachment, entries)


def _programs(attachment: Attachment, entries: list[zipfile.ZipInfo]) -> Iterator[Reason]:
    for entry in entries:
        parts = extensions(entry.filename.rpartition("/")[2])
        if not parts or parts[-1] not in PROGRAM_EXTENSIONS | DISK_EXTENSIONS:
            continue
        inside = f"{quote(entry.filename)} in {quote(attachment.name)}"
        yield Reason("executable_in_archive", f"{inside} is a program")
        if len(parts) > 1 and parts[0] in DOCUMENT_EXTENSIONS:
            yield Reason("executable_disguised", f"{inside} has two extensions")
        if len(entries) == 1:
            yield Reason("executable_alone_in_archive", f"{inside} is all there is")
