"""HTML and SVG files that carry their own trap past the link filters."""

import base64
import re
from collections.abc import Iterator

from services.classifier.domain import html
from services.classifier.domain.case import Case
from services.classifier.domain.content_types import kind
from services.classifier.domain.headers import to_text
from services.classifier.domain.mail import Attachment, Page
from services.classifier.domain.reasons import Reason, quote

MAX_BYTES = 2_097_152
MAX_LITERALS = 20
_LITERAL = re.compile(r"[\"'`]([A-Za-z0-9+/]{40,65536}={0,2})[\"'`]")
_EXTENSIONS = frozenset(("htm", "html", "shtml", "xhtml", "xht", "svg", "mht", "mhtml"))
_DECODES = re.compile(
    r"\batob\s*\(|fromCharCode|\bunescape\s*\(|decodeURIComponent\s*\(escape|Uint8Array"
)
_SAVES = re.compile(r"createObjectURL|msSaveOrOpenBlob|msSaveBlob|new\s+Blob\b|\.download\s*=")
_HIDES = re.compile(
    r"\beval\s*\(|document\.write\s*\(\s*(?:unescape|atob|decodeURI)|new\s+Function\s*\("
    r"|(?:\\x[0-9a-f]{2}){20}|_0x[0-9a-f]{4,6}\b",
    re.IGNORECASE,
)
_LEAVES = re.compile(
    r"(?:window|document|top|self)?\.?location(?:\.href)?\s*=|location\.(?:replace|assign)\s*\("
)
_SVG_SCRIPT = re.compile(r"<script|\bon(?:load|error|click)\s*=|javascript:", re.IGNORECASE)


def reasons(case: Case) -> Iterator[Reason]:
    """Yield what a page that opens outside the mail program would do."""
    for attachment in case.mail.attachments:
        true = kind(attachment)
        if true == "svg" or attachment.extension == "svg":
            yield from _svg(attachment)
        elif true == "html" or attachment.extension in _EXTENSIONS:
            yield from _html(attachment)
    if any(page.scripts and _smuggles("\n".join(page.scripts)) for page in case.mail.pages):
        yield Reason("html_smuggling", "a script in the text builds a file")


def _html(attachment: Attachment) -> Iterator[Reason]:
    source = to_text(attachment.content[:MAX_BYTES], None)
    page, name = html.read(source), quote(attachment.name)
    scripts = "\n".join(page.scripts)
    hidden = html.read(_decoded(scripts))
    yield Reason("html_attachment", f"{name} is a page")
    if _smuggles(scripts):
        yield Reason("html_smuggling", f"a script in {name} builds a file")
    if page.has_password or hidden.has_password:
        yield Reason("html_attachment_password", f"{name} asks for a password")
    if hidden.forms or hidden.scripts or _HIDES.search(scripts):
        yield Reason("html_attachment_obfuscated", f"{name} hides what its script does")
    if _leads_away(page, scripts):
        yield Reason("html_attachment_redirect", f"{name} leads elsewhere by itself")


def _decoded(scripts: str) -> str:
    """Return the markup that a script keeps in base64."""
    pieces = []
    for literal in _LITERAL.findall(scripts)[:MAX_LITERALS]:
        try:
            pieces.append(base64.b64decode(literal + "=" * (-len(literal) % 4)).decode("latin-1"))
        except ValueError:
            continue
    return "\n".join(piece for piece in pieces if "<" in piece)


def _smuggles(scripts: str) -> bool:
    return bool(_DECODES.search(scripts) and _SAVES.search(scripts))


def _leads_away(page: Page, scripts: str) -> bool:
    return bool(page.loads or _LEAVES.search(scripts))


def _svg(attachment: Attachment) -> Iterator[Reason]:
    source = to_text(attachment.content[:MAX_BYTES], None)
    if _SVG_SCRIPT.search(source):
        yield Reason("svg_with_script", f"{quote(attachment.name)} is a picture with a script")
