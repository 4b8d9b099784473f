"""MIME structure as offsets into the received bytes (RFC 2046 §5.1).

The stdlib's parser rewrites line ends and forgets where things were; here nothing is copied but
header blocks, so that a slice of the received bytes is the part exactly.
"""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

from libs.common.journaling import headers
from libs.common.journaling.headers import Headers
from libs.common.journaling.limits import MAX_BOUNDARY_BYTES, MAX_DELIMITERS
from libs.common.journaling.text import base64_decoded

_PARAMETER = re.compile(r';\s*([A-Za-z0-9*_-]{1,60})\s*=\s*(?:"([^"]{0,500})"|([^;\s"]{0,500}))')
_TYPE = re.compile(r"\s*([A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100})")
_IDENTITY_ENCODINGS = frozenset({"", "7bit", "8bit", "binary"})


@dataclass(frozen=True, slots=True)
class Entity:
    """A message or a part: its header block is `raw[start:body]`, its body `raw[body:end]`."""

    raw: bytes
    start: int
    body: int
    end: int
    headers: Headers
    #: Lower case, `text/plain` where none is given.
    content_type: str
    parameters: Mapping[str, str]

    @property
    def encoding(self) -> str:
        """The content transfer encoding, lower case; "" where the body stands as it is."""
        value = (self.headers.text("content-transfer-encoding") or "").strip().lower()
        return "" if value in _IDENTITY_ENCODINGS else value

    @property
    def file_name(self) -> str:
        """The name that the part gives itself, lower case, or ""."""
        disposition = self.headers.text("content-disposition") or ""
        name = _parameters(disposition).get("filename") or self.parameters.get("name") or ""
        return name.lower()

    def content(self) -> bytes:
        """Return the body with its transfer encoding undone."""
        body = self.raw[self.body : self.end]
        if self.encoding == "base64":
            return base64_decoded(body)
        if self.encoding == "quoted-printable":
            return binascii.a2b_qp(body)
        return body


@dataclass(frozen=True, slots=True)
class Delimiter:
    """One line `--boundary` or `--boundary--` of a multipart."""

    #: Where the content before it ends: the line end in front belongs to the delimiter.
    start: int
    #: Where the content after it begins.
    end: int
    closes: bool


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a multipart, in order."""

    entities: tuple[Entity, ...]
    #: The closing delimiter is there.
    closed: bool


def entity(raw: bytes, start: int, end: int) -> Entity:
    """Read what stands at `raw[start:end]`: its header block, and where the body is."""
    header_end, body = headers.split(raw, start, end)
    fields = headers.read(raw, start, header_end)
    content_type = (fields.text("content-type") or "")[:4000]
    match = _TYPE.match(content_type)
    return Entity(
        raw=raw,
        start=start,
        body=body,
        end=end,
        headers=fields,
        content_type=match.group(1).lower() if match else "text/plain",
        parameters=_parameters(content_type),
    )


def _parameters(value: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(value[:4000]):
        text = match.group(2) if match.group(2) is not None else match.group(3)
        found.setdefault(match.group(1).lower(), text)
    return found


def delimiters(whole: Entity) -> list[Delimiter]:
    """Return the delimiter lines of a multipart, at most `MAX_DELIMITERS`; [] if it is none.

    All of them, also those after the closing one: who repeats a boundary inside is judged by the
    caller, who knows what the parts should be.
    """
    boundary = whole.parameters.get("boundary", "").encode("utf-8", "replace").rstrip()
    is_multipart = whole.content_type.startswith("multipart/")
    if not is_multipart or not 0 < len(boundary) <= MAX_BOUNDARY_BYTES:
        return []
    raw, dashed = whole.raw, b"--" + boundary
    found: list[Delimiter] = []
    # The first delimiter may be the body's first line, with no line end of its own in front.
    position = whole.body if raw.startswith(dashed, whole.body, whole.end) else None
    if position is None:
        position = _next(raw, dashed, whole.body, whole.end)
    while position is not None and len(found) < MAX_DELIMITERS:
        delimiter = _delimiter(raw, position, len(dashed), whole)
        if delimiter:
            found.append(delimiter)
        position = _next(raw, dashed, position + 1, whole.end)
    return found


def _next(raw: bytes, dashed: bytes, start: int, end: int) -> int | None:
    position = raw.find(b"\n" + dashed, start, end)
    return None if position < 0 else position + 1


#: `--` where it closes, blanks that a gateway added, the line's end (or that of the mail).
_REST_OF_LINE = re.compile(rb"(--)?[ \t]{0,200}(?:\r{0,2}\n|\r?\Z)")


def _delimiter(raw: bytes, position: int, length: int, whole: Entity) -> Delimiter | None:
    match = _REST_OF_LINE.match(raw, position + length, whole.end)
    if not match:
        return None
    start = position
    if start > whole.body:
        start -= 2 if raw[max(whole.body, start - 2) : start] == b"\r\n" else 1
    return Delimiter(start=start, end=match.end(), closes=match.group(1) is not None)


def parts(whole: Entity) -> Parts:
    """Return the parts of a multipart, as far as its first closing delimiter."""
    found: list[Entity] = []
    begin: int | None = None
    for delimiter in delimiters(whole):
        if begin is not None:
            found.append(entity(whole.raw, begin, max(begin, delimiter.start)))
        if delimiter.closes:
            return Parts(tuple(found), closed=True)
        begin = delimiter.end
    if begin is not None:
        found.append(entity(whole.raw, begin, whole.end))
    return Parts(tuple(found), closed=False)
