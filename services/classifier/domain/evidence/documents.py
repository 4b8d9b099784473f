"""Office documents: macros by their streams and parts, templates fetched from elsewhere."""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator

import olefile

from services.classifier.domain import vba
from services.classifier.domain.case import Case
from services.classifier.domain.content_types import kind
from services.classifier.domain.mail import Attachment
from services.classifier.domain.reasons import Reason, quote

MAX_STREAMS = 500
MAX_PARTS = 2_000
MAX_PART_BYTES = 4_194_304
MAX_TOTAL_BYTES = 16_777_216

_RUNS_BY_ITSELF = re.compile(
    rb"\b(?:auto_?(?:open|exec|close|new|exit)|document_?(?:open|close|new)"
    rb"|workbook_?(?:open|activate|beforeclose)|\w+_(?:layout|painted|mousemove|gotfocus))\b",
    re.IGNORECASE,
)
_REACHES_OUT = re.compile(
    rb"\bshell\b|wscript\.shell|shell\.application|powershell|urldownloadtofile|msxml2"
    rb"|winhttp|adodb\.stream|createprocess|virtualalloc|\bcmd(?:\.exe)?\s*/c|certutil|mshta"
    rb"|regsvr32|rundll32|win32_process|createthread|\.run\s*\(|getobject\s*\(\s*\"winmgmts",
    re.IGNORECASE,
)
_RELATION = re.compile(rb"<Relationship\b[^>]{0,4000}>", re.IGNORECASE)
_FETCHES = re.compile(rb"Target\s*=\s*\"(?:https?:|\\\\|file://[^/\"])[^\"]{0,300}", re.IGNORECASE)
_LOADED = re.compile(
    rb"/(?:attachedTemplate|oleObject|frame|subDocument|externalLinkPath)\"", re.IGNORECASE
)


def reasons(case: Case) -> Iterator[Reason]:
    """Yield what the documents would do when opened."""
    for attachment in case.mail.attachments:
        true = kind(attachment)
        if true == "ole":
            yield from _ole(attachment, attachment.content)
        elif true == "zip":
            yield from _package(attachment)


def _ole(attachment: Attachment, content: bytes) -> Iterator[Reason]:
    try:
        with olefile.OleFileIO(io.BytesIO(content)) as document:
            paths = document.listdir(streams=True, storages=True)[:MAX_STREAMS]
            names = {piece.lower() for path in paths for piece in path}
            if "encryptedpackage" in names:
                yield Reason("encrypted", f"{quote(attachment.name)} opens with a password")
            if names & {"_vba_project", "vba", "_vba_project_cur", "macros"}:
                source = b"\n".join(_modules(document, paths))
                yield from _macro(attachment, source)
    except (OSError, ValueError, IndexError, TypeError, AttributeError, OverflowError) as error:
        yield Reason("document_broken", f"{quote(attachment.name)}: {type(error).__name__}")


def _modules(document: "olefile.OleFileIO", paths: list[list[str]]) -> Iterator[bytes]:
    for path in paths:
        if document.get_type(path) == olefile.STGTY_STREAM and "VBA" in [p.upper() for p in path]:
            yield vba.sources(document.openstream(path).read(MAX_PART_BYTES))


def _macro(attachment: Attachment, source: bytes) -> Iterator[Reason]:
    name = quote(attachment.name)
    starts, reaches = _RUNS_BY_ITSELF.search(source), _REACHES_OUT.search(source)
    if starts and reaches:
        words = f"{starts[0].decode('latin-1')}, {reaches[0].decode('latin-1')}"
        yield Reason("macro_dropper", f"{name}: a macro starts by itself and acts: {quote(words)}")
    elif starts:
        yield Reason("macro_autostart", f"{name}: a macro starts by itself")
    yield Reason("macro", f"{name} holds macros")


def _package(attachment: Attachment) -> Iterator[Reason]:
    try:
        with zipfile.ZipFile(io.BytesIO(attachment.content)) as package:
            parts = package.infolist()[:MAX_PARTS]
            if any(part.filename == "[Content_Types].xml" for part in parts):
                yield from _parts(attachment, package, parts)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, RuntimeError,
            NotImplementedError, OverflowError, IndexError) as error:  # fmt: skip
        yield Reason("document_broken", f"{quote(attachment.name)}: {type(error).__name__}")


def _parts(
    attachment: Attachment, package: zipfile.ZipFile, parts: list[zipfile.ZipInfo]
) -> Iterator[Reason]:
    left = MAX_TOTAL_BYTES
    for part in parts:
        name = part.filename.lower()
        if not name.endswith((".bin", ".rels")) or left <= 0:
            continue
        with package.open(part) as stream:
            content = stream.read(min(MAX_PART_BYTES, left))
        left -= len(content)
        if name.endswith("vbaproject.bin"):
            yield from _ole(attachment, content)
            yield Reason("macro", f"{quote(attachment.name)} holds macros")
        for relation in _RELATION.findall(content) if name.endswith(".rels") else ():
            target = _FETCHES.search(relation)
            if b'"External"' in relation and _LOADED.search(relation) and target:
                place = target[0].decode("latin-1").partition('"')[2]
                yield Reason("remote_template", f"{quote(attachment.name)} fetches {quote(place)}")
