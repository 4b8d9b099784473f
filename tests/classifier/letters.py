"""Mail for tests: example domains, words of our own."""

import io
import zipfile
from email.message import EmailMessage
from email.policy import SMTP

from services.classifier.domain.circumstances import Circumstances, Person
from services.classifier.domain.evaluation import judge
from services.classifier.domain.verdict import Verdict

#: What the tenant of these tests knows about itself.
OURS = Circumstances(
    own_domains=("northwind.example",),
    protected_people=(Person("Daniel Fischer", ("dan.fischer@northwind.example",)),),
)
#: Exchange's own mailbox, from which reports come.
_SYSTEM = "<MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@contoso.onmicrosoft.com>"


def letter(
    text: str = "Good morning, see you at ten.",
    *,
    html: str | None = None,
    sender: str = "Lena Vogt <lena.vogt@fabrikam.example>",
    to: str = "carla@northwind.example",
    subject: str = "Meeting",
    headers: tuple[tuple[str, str], ...] = (),
    attachments: tuple[tuple[str, bytes], ...] = (),
) -> bytes:
    """Return a message as bytes with CRLF lines; `headers` go on top."""
    message = EmailMessage(policy=SMTP)
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = "Mon, 05 Jan 2026 09:00:00 +0000"
    message["Message-ID"] = "<1@fabrikam.example>"
    if html is not None:
        message.set_content(html, subtype="html")
    else:
        message.set_content(text)
    for name, content in attachments:
        message.add_attachment(
            content, maintype="application", subtype="octet-stream", filename=name
        )
    top = (*headers, ("From", sender))
    return "".join(f"{name}: {value}\r\n" for name, value in top).encode() + bytes(message)


def report(
    original: bytes,
    *,
    text: str = "Recipient: carla@northwind.example",
    sender: str = "lena.vogt@fabrikam.example",
    mark: str = "X-MS-Journal-Report: ",
) -> bytes:
    """Return a journal report as Exchange Online writes it, and as everybody can."""
    head = (
        f"From: {_SYSTEM}\r\nSender: {_SYSTEM}\r\nMessage-ID: <1@journal.report.generator>\r\n"
        f"Subject: Meeting\r\n{mark}\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="b1"\r\n\r\n'
        "--b1\r\nContent-Type: text/plain\r\n\r\n"
        f"Sender: {sender}\r\nSubject: Meeting\r\nMessage-Id: <1@fabrikam.example>\r\n{text}\r\n"
        "\r\n--b1\r\nContent-Type: message/rfc822\r\n\r\n"
    )
    return head.encode() + original + b"\r\n--b1--\r\n"


def submitted(original: bytes, text: str = "") -> bytes:
    """Return what a user's report button sends."""
    head = (
        "From: Ben <ben@northwind.example>\r\nSubject: 3|192.0.2.1|x|(Meeting)\r\n"
        "MIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="b2"\r\n\r\n'
        f"--b2\r\nContent-Type: text/plain\r\n\r\n{text}\r\n"
        "--b2\r\nContent-Type: message/rfc822\r\n\r\n"
    )
    return head.encode() + original + b"\r\n--b2--\r\n"


def verdict(raw: bytes, about: Circumstances = OURS) -> Verdict:
    """Judge a message."""
    return judge(raw, about)


def codes(raw: bytes, about: Circumstances = OURS) -> set[str]:
    """Return the codes of the reasons."""
    return {reason.code for reason in judge(raw, about).reasons}


def zipped(parts: dict[str, bytes]) -> bytes:
    """Return a ZIP archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return content.getvalue()
