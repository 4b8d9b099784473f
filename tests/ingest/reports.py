"""Journal reports as Exchange writes them, made to measure."""

from collections.abc import Sequence

BOUNDARY = b"_0f0e0d0c-0000-4000-8000-000000000001_"
#: Of the original.
MESSAGE_ID = "<orig-1@fabrikam.example>"
REPORT_ID = "<01234567-89ab-cdef-0123-456789abcdef@journal.report.generator>"


def original(
    body: bytes = b"Hello\r\n", *, headers: str = "", message_id: str = MESSAGE_ID
) -> bytes:
    """Return a message as it was journaled."""
    head = (
        "From: Alice <alice@fabrikam.example>\r\n"
        "To: Bob <bob@contoso.example>\r\n"
        "Subject: Quarterly numbers\r\n"
        "Date: Mon, 6 Jan 2025 10:00:00 +0000\r\n"
        f"Message-ID: {message_id}\r\n"
    )
    return (headers + head + "\r\n").encode() + body


def envelope(*lines: str, sender: str = "alice@fabrikam.example") -> str:
    """Return the text part's lines; without any, for one recipient."""
    return "\r\n".join(
        [
            f"Sender: {sender}",
            "Subject: Quarterly numbers",
            f"Message-Id: {MESSAGE_ID}",
            *(lines or ("Recipient: bob@contoso.example",)),
            "",
        ]
    )


def report(
    inner: bytes | None = None,
    *,
    text: str | None = None,
    report_id: str = REPORT_ID,
    headers: str = "X-OriginatorOrg: contoso.onmicrosoft.com\r\n",
    more_parts: Sequence[bytes] = (),
) -> bytes:
    """Return a journal report of Exchange Online."""
    top = (
        f'Content-Type: multipart/mixed; boundary="{BOUNDARY.decode()}"\r\n'
        "Subject: Quarterly numbers\r\n"
        f"Message-ID: {report_id}\r\n"
        "X-MS-Journal-Report:\r\n" + headers + "\r\n"
    )
    text_part = (
        'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n'
        + (envelope() if text is None else text)
    )
    inner_part = b"Content-Type: message/rfc822\r\n\r\n" + (original() if inner is None else inner)
    lines = [text_part.encode(), inner_part, *more_parts]
    body = b"".join(b"--" + BOUNDARY + b"\r\n" + part + b"\r\n" for part in lines)
    return top.encode() + body + b"--" + BOUNDARY + b"--\r\n"
