"""What Exchange Online said when it received the message, where that can be believed.

`docs.microsoft.com, Anti-spam message headers in Microsoft 365`. Exchange Online removes these
headers from mail that enters it and writes its own on top, so the topmost one counts.
"""

import re
from dataclasses import dataclass

from services.classifier.domain.mail import ParsedMail

#: Verdict categories that mean harm, and those that mean a nuisance.
HARMFUL_CATEGORIES = {
    "MALW": "malware",
    "PHSH": "phishing",
    "HPHSH": "phishing, high confidence",
    "HPHISH": "phishing, high confidence",
    "SPOOF": "spoofing",
    "UIMP": "impersonation of a user",
    "DIMP": "impersonation of a domain",
    "GIMP": "impersonation, by mailbox intelligence",
    "BIMP": "impersonation of a brand",
}
SPAM_CATEGORIES = {"SPM": "spam", "HSPM": "spam, high confidence"}

_COMMENT = re.compile(r"\([^()]*\)")
_RESULT = re.compile(r"(?:^|[;\s])(spf|dkim|dmarc|compauth)=([a-z]+)", re.IGNORECASE)
_ACTION = re.compile(r"\bdmarc=\w+\s+action=(\w+)", re.IGNORECASE)
_SIGNER = re.compile(r"\bdkim=pass[^;]*?header\.d=([^\s;]+)", re.IGNORECASE)
_MAILFROM = re.compile(r"\bspf=pass[^;]*?smtp\.mailfrom=([^\s;]+)", re.IGNORECASE)
_SCL = re.compile(r"(?:^|;)\s*SCL:(-?\d+)")
_CATEGORY = re.compile(r"(?:^|;)\s*CAT:([A-Z]+)")


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """Exchange Online's own findings. Empty where it has none, or is not to be believed."""

    spf: str = ""
    dkim: str = ""
    dmarc: str = ""
    #: What it did because of DMARC: none, quarantine, oreject …
    dmarc_action: str = ""
    compauth: str = ""
    #: Whose good signature it found, and whose reverse-path the sending host may use.
    dkim_domain: str = ""
    spf_domain: str = ""
    #: Spam confidence level, -1 … 9.
    scl: int | None = None
    category: str = ""
    #: The sender was signed in to this organisation.
    is_internal: bool = False
    quote: str = ""

    @property
    def is_authenticated(self) -> bool:
        """Say whether the From domain was proved."""
        return self.dmarc == "pass" or self.compauth == "pass"

    @property
    def is_failed(self) -> bool:
        """Say whether the From domain was checked and not proved."""
        if not self.dmarc or self.is_authenticated:
            return False
        return self.dmarc == "fail" or self.compauth == "fail"


def read(mail: ParsedMail) -> ReceiverReport:
    """Return what the receiver's headers say; call it only where the receiver is trusted."""
    quote = (mail.header("authentication-results") or "")[:2000]
    plain = _COMMENT.sub(" ", quote)
    results: dict[str, str] = {}
    for method, result in _RESULT.findall(plain):
        results.setdefault(method.lower(), result.lower())
    action, signer = _ACTION.search(plain), _SIGNER.search(plain)
    path = _MAILFROM.search(plain)
    report = mail.header("x-forefront-antispam-report") or ""
    categories = _CATEGORY.findall(report)
    auth_as = {value.strip().lower() for value in mail.all("x-ms-exchange-organization-authas")}
    return ReceiverReport(
        spf=results.get("spf", ""),
        dkim=results.get("dkim", ""),
        dmarc=results.get("dmarc", ""),
        dmarc_action=action[1].lower() if action else "",
        compauth=results.get("compauth", ""),
        dkim_domain=signer[1].lower() if signer else "",
        spf_domain=path[1].lower().rpartition("@")[2] if path else "",
        scl=_scl(mail, report),
        # A name that the sender's host gives itself stands before it: the last one counts.
        category=categories[-1] if categories else "",
        is_internal=auth_as == {"internal"},
        quote=" ".join(quote.split())[:200],
    )


def _scl(mail: ParsedMail, report: str) -> int | None:
    match = _SCL.search(report)
    value = match[1] if match else (mail.header("x-ms-exchange-organization-scl") or "").strip()
    return int(value) if re.fullmatch(r"-?\d", value) else None
