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
