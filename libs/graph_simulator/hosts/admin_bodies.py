"""Bodies of the admin API's requests."""

import base64
import binascii
from typing import Annotated, Self

from pydantic import Field, model_validator

from libs.graph_simulator.admin.admin import AdminError, Deed
from libs.graph_simulator.options import Section
from libs.graph_simulator.seed import Address
from libs.graph_simulator.world.mailbox import Kind


class Deliver(Section):
    """Body of `deliver`: the message as text (line ends become CRLF) or as base64."""

    mime: str | None = None
    mime_base64: str | None = None
    sender: str = ""
    recipients: Annotated[list[str], Field(max_length=10_000)]

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.mime is None) == (self.mime_base64 is None):
            raise ValueError("needs exactly one of mime, mime_base64")
        return self

    def content(self) -> bytes:
        """The bytes."""
        if self.mime is not None:
            text = self.mime.replace("\r\n", "\n").replace("\n", "\r\n")
            return text.encode("utf-8", "surrogateescape")
        try:
            return base64.b64decode(self.mime_base64 or "", validate=True)
        except binascii.Error as error:
            raise AdminError("mime_base64 is not base64") from error


class Reply(Section):
    """Body of `reply`."""

    author: Address
    internet_message_id: str
    text: str = ""
    to: list[Address] = Field(default_factory=list)
    cc: list[Address] = Field(default_factory=list)
    bcc: list[Address] = Field(default_factory=list)
    reply_all: bool = False


class Forward(Section):
    """Body of `forward`."""

    author: Address
    internet_message_id: str
    to: Annotated[list[Address], Field(min_length=1)]
    text: str = ""
    bcc: list[Address] = Field(default_factory=list)


class Act(Section):
    """Body of `act`."""

    mailbox: Address
    deed: Deed
    internet_message_id: str | None = None
    immutable_id: str | None = None
    folder: str = ""
    categories: list[str] = Field(default_factory=list)


class SetKind(Section):
    """Body of `mailboxes/kind`."""

    mailbox: Address
    kind: Kind


class SetConsent(Section):
    """Body of `consent`."""

    tenant: str
    client_id: str
    is_consented: bool


class Revoke(Section):
    """Body of `tokens/revoke`."""

    tenant: str
    client_id: str
