"""Signing in as the tenant's application (azure-identity)."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.identity.aio import (
    CertificateCredential,
    ClientSecretCredential,
    WorkloadIdentityCredential,
)

from libs.common.errors import PermanentError, TransientError
from libs.common.tenants.model import Tenant
from libs.common.tenants.secrets import resolve, resolve_bytes
from services.retractor.adapters.graph.clouds import Cloud


class Credential(Protocol):
    """What azure-identity's asynchronous credentials have in common."""

    async def get_token(
        self, *scopes: str, claims: str | None = None, enable_cae: bool = False
    ) -> AccessToken:
        """Return a token; `claims` are what a refusal asked for."""

    async def close(self) -> None:
        """End it."""


class OneAtATime:
    """A credential that asks for one token at a time.

    azure-identity 1.27 sends a request for each caller that meets a cold cache: 50 for 50.
    """

    def __init__(self, make: Callable[[], Credential]) -> None:
        self._make = make
        self._credential: Credential | None = None
        self._turn = asyncio.Lock()

    async def get_token(
        self, *scopes: str, claims: str | None = None, enable_cae: bool = False
    ) -> AccessToken:
        """Return a token, from azure-identity's cache where it is fresh.

        After a refusal the secret is read anew for the next one: it may have been replaced.
        """
        async with self._turn:
            if self._credential is None:
                self._credential = self._make()
            credential = self._credential
            try:
                return await credential.get_token(*scopes, claims=claims, enable_cae=enable_cae)
            except ClientAuthenticationError:
                self._credential = None
                await credential.close()
                raise

    async def forget(self) -> None:
        """Drop the cached token: Graph has refused it."""
        async with self._turn:
            credential, self._credential = self._credential, None
        if credential is not None:
            await credential.close()

    async def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            await self.forget()


def credential_of(
    tenant: Tenant, cloud: Cloud, *, ca_file: Path | None, token_file: Path | None
) -> OneAtATime:
    """Return the tenant's credential; its secret is read when it is first used.

    A secret that cannot be read raises `TransientError` (`credential_unavailable`) then: it may be
    there later, and meanwhile the tenant's retractions wait.
    """
    common: dict[str, Any] = {"authority": cloud.authority_url}
    if ca_file is not None:
        common["connection_verify"] = str(ca_file)

    def make() -> Credential:
        try:
            return _made(tenant, common, token_file)
        except (PermanentError, ValueError) as error:
            raise TransientError("credential_unavailable", type(error).__name__) from None

    return OneAtATime(make)


def _made(tenant: Tenant, common: dict[str, Any], token_file: Path | None) -> Credential:
    access, tenant_id = tenant.graph, tenant.microsoft_tenant_id
    if access.client_secret is not None:
        secret = resolve(access.client_secret, tenant=tenant.id, field="graph.client_secret")
        return ClientSecretCredential(
            tenant_id, access.client_id, secret.get_secret_value(), **common
        )
    if access.certificate is not None:
        certificate = resolve_bytes(access.certificate, tenant=tenant.id, field="graph.certificate")
        return CertificateCredential(
            tenant_id,
            access.client_id,
            certificate_data=certificate.get_secret_value(),
            **common,
        )
    return WorkloadIdentityCredential(
        tenant_id=tenant_id,
        client_id=access.client_id,
        token_file_path=None if token_file is None else str(token_file),
        **common,
    )
