"""azure-identity, sync and async, as the product uses it."""

import asyncio
from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential, ClientSecretCredential
from azure.identity.aio import CertificateCredential as AsyncCertificateCredential
from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential
from azure.identity.aio import WorkloadIdentityCredential
from cryptography.hazmat.primitives import serialization

from libs.graph_simulator.seed import ApplicationSeed, FederatedSeed
from libs.graph_simulator.server import Simulator
from tests.graph_simulator.client import Graph
from tests.graph_simulator.samples import APP, SECRET, TENANT
from tests.graph_simulator.test_sign_in import assertion, certificate

SCOPE = "https://graph.microsoft.com/.default"


async def works(graph: Graph, token: str) -> bool:
    graph.token = token
    return (await graph.get("users")).status_code == 200


async def test_the_async_secret_credential_gets_a_token(simulator: Simulator, graph: Graph):
    async with AsyncClientSecretCredential(
        TENANT,
        APP,
        SECRET,
        authority=simulator.authority_url,
        connection_verify=str(simulator.ca_file),
    ) as credential:
        token = await credential.get_token(SCOPE)

    assert await works(graph, token.token)


async def test_the_async_secret_credential_says_that_the_secret_is_wrong(simulator: Simulator):
    async with AsyncClientSecretCredential(
        TENANT,
        APP,
        "wrong",
        authority=simulator.authority_url,
        connection_verify=str(simulator.ca_file),
    ) as credential:
        with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
            await credential.get_token(SCOPE)


async def test_the_sync_secret_credential_gets_a_token(simulator: Simulator, graph: Graph):
    def get_token() -> str:
        with ClientSecretCredential(
            TENANT,
            APP,
            SECRET,
            authority=simulator.authority_url,
            connection_verify=str(simulator.ca_file),
            disable_instance_discovery=True,
        ) as credential:
            return credential.get_token(SCOPE).token

    assert await works(graph, await asyncio.to_thread(get_token))


async def test_certificate_credentials_get_tokens(
    simulator: Simulator, graph: Graph, tmp_path: Path
):
    key, pem = certificate()
    simulator.admin.add_application(TENANT, ApplicationSeed(client_id=APP, certificates_pem=(pem,)))
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = tmp_path / "certificate.pem"
    file.write_bytes(private + pem.encode())
    options = {
        "authority": simulator.authority_url,
        "connection_verify": str(simulator.ca_file),
        "disable_instance_discovery": True,
    }

    async with AsyncCertificateCredential(TENANT, APP, str(file), **options) as credential:
        from_async = (await credential.get_token(SCOPE)).token
    with CertificateCredential(TENANT, APP, str(file), **options) as sync:
        from_sync = (await asyncio.to_thread(sync.get_token, SCOPE)).token

    assert await works(graph, from_async)
    assert await works(graph, from_sync)


async def test_the_workload_identity_credential_gets_a_token(
    simulator: Simulator, graph: Graph, tmp_path: Path
):
    key, _ = certificate()
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    workload = FederatedSeed(
        issuer="https://k8s.example", subject="me", public_key_pem=public.decode()
    )
    simulator.admin.add_application(TENANT, ApplicationSeed(client_id=APP, federated=(workload,)))
    file = tmp_path / "token"
    file.write_text(assertion(key, workload.audience, iss=workload.issuer, sub="me"))

    async with WorkloadIdentityCredential(
        tenant_id=TENANT,
        client_id=APP,
        token_file_path=str(file),
        authority=simulator.authority_url,
        connection_verify=str(simulator.ca_file),
    ) as credential:
        token = await credential.get_token(SCOPE)

    assert await works(graph, token.token)


async def test_fifty_cold_requests_at_once_are_counted(simulator: Simulator):
    async with AsyncClientSecretCredential(
        TENANT,
        APP,
        SECRET,
        authority=simulator.authority_url,
        connection_verify=str(simulator.ca_file),
    ) as credential:
        await asyncio.gather(*(credential.get_token(SCOPE) for _ in range(5)))

    assert simulator.admin.statistics()["token_requests"] == {"200": 5}
