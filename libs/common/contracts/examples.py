"""Commands as an upstream system would send them."""

from uuid import UUID

from libs.common.contracts.base import Contract
from libs.common.contracts.retraction import CancelRetraction, RestoreRetraction, RetractMail

_RETRACTION = UUID("9b2f6c1e-52a7-4d0c-8a53-0f2f1f6f7a10")
_REQUESTED_BY = "analyst@acme.example"

EXAMPLES: dict[str, Contract] = {
    example.type: example
    for example in (
        RetractMail(
            tenant="acme",
            retraction_id=_RETRACTION,
            internet_message_id="<20261122101500.4711@mail.sender.example>",
            destination="soft_delete",
            reason="Phish: the link asks for the Microsoft password",
            requested_by=_REQUESTED_BY,
            severity="high",
        ),
        RestoreRetraction(
            tenant="acme",
            restore_id=UUID("3e0f4a55-7a0e-4f0e-9f7c-6b1d2a9c8e21"),
            retraction_id=_RETRACTION,
            reason="Was harmless: the sender is a supplier's new shop",
            requested_by=_REQUESTED_BY,
        ),
        CancelRetraction(
            tenant="acme",
            retraction_id=_RETRACTION,
            reason="Wrong message",
            requested_by=_REQUESTED_BY,
        ),
    )
}
