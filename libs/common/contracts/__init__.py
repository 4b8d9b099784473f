"""Message bodies: the public API between services and towards upstream systems."""

from libs.common.contracts.base import Contract
from libs.common.contracts.mail import MailClassified, MailHeld, MailJournaled
from libs.common.contracts.operation import ConfigChanged, DeliveryDeadLettered, DeliveryReplayed
from libs.common.contracts.retraction import (
    CancelRetraction,
    CopySettled,
    RestoreRetraction,
    RetractionAccepted,
    RetractionFinished,
    RetractionHeld,
    RetractionPlanned,
    RetractMail,
)

CONTRACTS: dict[str, type[Contract]] = {
    contract.type: contract
    for contract in (
        MailJournaled,
        MailHeld,
        MailClassified,
        RetractMail,
        RestoreRetraction,
        CancelRetraction,
        CopySettled,
        RetractionPlanned,
        RetractionAccepted,
        RetractionHeld,
        RetractionFinished,
        DeliveryDeadLettered,
        DeliveryReplayed,
        ConfigChanged,
    )
}

#: Types that may concern no tenant: `tenant` null in the body and no header.
TENANTLESS = frozenset(
    {MailHeld.type, DeliveryDeadLettered.type, DeliveryReplayed.type, ConfigChanged.type}
)

__all__ = ["CONTRACTS", "TENANTLESS", "Contract"]
