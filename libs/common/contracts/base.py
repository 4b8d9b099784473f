"""What all messages have in common."""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

PERSONAL_KEY = "x-personal"

#: Marks a field that may hold personal data: audit keeps it apart, and only it may be erased.
Personal = Field(json_schema_extra={PERSONAL_KEY: True})

Sha256Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Tenant = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Part(BaseModel):
    """A piece of a message body: frozen, and readers ignore what they do not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Contract(Part):
    """A message body. `type` is the AMQP type and the routing key.

    `tenant` is required in every body; null only for the types in `TENANTLESS` (DESIGN: tenants
    never mix).
    """

    type: ClassVar[str]

    tenant: Tenant | None

    def body(self) -> bytes:
        """Return the body as it goes over the wire: UTF-8 JSON, stable for equal contracts."""
        return self.model_dump_json(by_alias=True).encode()

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the published JSON Schema (Draft 2020-12) of this contract."""
        schema = cls.model_json_schema(by_alias=True)
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"urn:undeliver:{cls.type}",
            **schema,
        }
