"""What every piece of evidence is given."""

from dataclasses import dataclass, field

from services.classifier.domain.circumstances import Circumstances
from services.classifier.domain.mail import ParsedMail
from services.classifier.domain.receiver import ReceiverReport
from services.classifier.domain.signatures import OwnCheck


@dataclass(frozen=True, slots=True)
class Case:
    """A message, what is known about it, and what was found out about its sender."""

    mail: ParsedMail
    about: Circumstances
    receiver: ReceiverReport = field(default_factory=ReceiverReport)
    own: OwnCheck = field(default_factory=OwnCheck)

    @property
    def is_authenticated(self) -> bool:
        """Say whether the From domain is proved, by the receiver or by our own check."""
        return self.receiver.is_authenticated or self.own.is_verified(self.mail.author.domain)

    @property
    def is_author_proved(self) -> bool:
        """Say whether DMARC or our own check proved the one From, not merely a good guess."""
        is_proved = self.receiver.dmarc == "pass" or self.own.is_verified(self.mail.author.domain)
        return is_proved and len(self.mail.from_) == 1

    @property
    def proved_domains(self) -> tuple[str, ...]:
        """Return the domains that provably signed or sent it, whatever From says."""
        report = self.receiver
        return tuple(sorted({*self.own.verified, report.dkim_domain, report.spf_domain} - {""}))
