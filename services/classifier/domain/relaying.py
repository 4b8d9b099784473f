"""Whether a proved stranger may well write in the name of somebody whom the tenant knows."""

import re
from collections.abc import Collection

from services.classifier.domain.case import Case
from services.classifier.domain.hosts import is_same_owner, is_within
from services.classifier.domain.known_hosts import FREE_MAIL
from services.classifier.domain.mail import Address
from services.classifier.domain.notification_services import NOTIFICATION_SERVICES

_VIA = re.compile(r"\bvia\b", re.IGNORECASE)


def relayed_by(case: Case, address: Address, theirs: Collection[str]) -> str | None:
    """Return the code of a name that was relayed to its proved sender; null where it is borrowed.

    A service that everybody knows; a sender whom only the person themselves can answer for; or a
    mailing list that had to put its own address into From. `theirs` are the person's addresses.
    """
    if not case.is_author_proved or not is_same_owner(address.domain, case.mail.author.domain):
        return None
    if any(is_within(address.domain, service) for service in NOTIFICATION_SERVICES):
        return "name_through_service"
    if address.domain in FREE_MAIL:
        return None
    answers = [answer.spec for answer in case.mail.reply_to]
    if answers and all(answer in theirs for answer in answers):
        return "name_relayed"
    return "name_relayed" if _is_list(case, address, theirs) else None


def _is_list(case: Case, address: Address, theirs: Collection[str]) -> bool:
    """A list says "via", and keeps the answers to itself or leaves them to the person."""
    if not case.mail.header("list-id") or not _VIA.search(address.name):
        return False
    return all(
        is_same_owner(answer.domain, address.domain) or answer.spec in theirs
        for answer in case.mail.reply_to
    )
