import ssl
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from libs.graph_simulator.graph.failures import Effect, Match, Rule
from libs.graph_simulator.seed import ApplicationSeed, FederatedSeed
from libs.graph_simulator.server import Simulator
from tests.graph_simulator.client import Graph, ask_for_token, error_of
from tests.graph_simulator.samples import APP, SCOPED, TENANT

BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def refusal(answer: httpx.Response) -> tuple[int, str, int]:
    body = answer.json()
    assert body["error_description"].startswith(f"AADSTS{body['error_codes'][0]}: ")
    assert set(body) >= {"trace_id", "correlation_id", "timestamp"}
    return answer.status_code, body["error"], body["error_codes"][0]


def certificate() -> tuple[rsa.RSAPrivateKey, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "undeliver")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return key, signed.public_bytes(serialization.Encoding.PEM).decode()


def assertion(key: rsa.RSAPrivateKey, audience: str, **changes: object) -> str:
    now = datetime.now(UTC)
    claims = {"aud": audience, "iss": APP, "sub": APP, "jti": str(uuid4())}
    times = {"exp": now + timedelta(minutes=5), "nbf": now}
    return jwt.encode({**claims, **times, **changes}, key, "RS256")


async def test_a_token_names_tenant_application_and_roles(
    http: httpx.AsyncClient, simulator: Simulator
):
    answer = await ask_for_token(http, simulator.authority_url)

    body = answer.json()
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert (body["token_type"], body["expires_in"], body["ext_expires_in"]) == (
        "Bearer",
        3599,
        3599,
    )
    assert claims["aud"] == "https://graph.microsoft.com"
    assert (claims["tid"], claims["appid"], claims["idtyp"]) == (TENANT, APP, "app")
    assert claims["roles"] == ["Mail.ReadWrite", "User.Read.All"]
    assert claims["exp"] - claims["iat"] == 3599


async def test_a_token_is_signed_with_a_published_key(
    http: httpx.AsyncClient, simulator: Simulator
):
    token = (await ask_for_token(http, simulator.authority_url)).json()["access_token"]
    found = await http.get(
        f"{simulator.authority_url}/{TENANT}/v2.0/.well-known/openid-configuration"
    )
    keys = (await http.get(found.json()["jwks_uri"])).json()["keys"]

    header = jwt.get_unverified_header(token)
    key = next(one for one in keys if one["kid"] == header["kid"])

    assert header["alg"] == "RS256"
    jwt.decode(token, jwt.PyJWK(key), audience="https://graph.microsoft.com", algorithms=["RS256"])


async def test_discovery_leads_to_the_token_endpoint(http: httpx.AsyncClient, simulator: Simulator):
    url = simulator.authority_url

    instance = (await http.get(f"{url}/common/discovery/instance?api-version=1.1")).json()
    common = (await http.get(instance["tenant_discovery_endpoint"])).json()
    named = (await http.get(f"{url}/contoso.example/v2.0/.well-known/openid-configuration")).json()

    assert common["token_endpoint"] == f"{url}/common/oauth2/v2.0/token"
    assert named["token_endpoint"] == f"{url}/{TENANT}/oauth2/v2.0/token"
    assert named["issuer"] == f"{url}/{TENANT}/v2.0"


@pytest.mark.parametrize(
    ("tenant", "changes", "expected"),
    [
        (TENANT, {"client_secret": "wrong"}, (401, "invalid_client", 7000215)),
        (TENANT, {"client_secret": None}, (401, "invalid_client", 7000218)),
        (TENANT, {"client_id": "nobody"}, (400, "unauthorized_client", 700016)),
        (TENANT, {"client_id": None}, (400, "invalid_request", 900144)),
        (
            TENANT,
            {"scope": "https://graph.microsoft.com/Mail.Read"},
            (400, "invalid_scope", 1002012),
        ),
        (TENANT, {"scope": "https://vault.example/.default"}, (400, "invalid_resource", 500011)),
        (TENANT, {"grant_type": "password"}, (400, "unsupported_grant_type", 70003)),
        ("99999999-0000-4000-8000-000000000000", {}, (400, "invalid_request", 90002)),
    ],
)
async def test_a_wrong_request_gets_entra_s_number(
    http: httpx.AsyncClient,
    simulator: Simulator,
    tenant: str,
    changes: dict[str, str | None],
    expected: tuple[int, str, int],
):
    answer = await ask_for_token(http, simulator.authority_url, tenant, **changes)

    assert refusal(answer) == expected


async def test_an_expired_secret_is_told_from_a_wrong_one(
    http: httpx.AsyncClient, simulator: Simulator
):
    seed = ApplicationSeed(client_id="old", client_secret="x", is_secret_expired=True)
    simulator.admin.add_application(TENANT, seed)

    answer = await ask_for_token(http, simulator.authority_url, client_id="old", client_secret="x")

    assert refusal(answer) == (401, "invalid_client", 7000222)


async def test_a_registered_certificate_stands_for_the_secret(
    http: httpx.AsyncClient, simulator: Simulator
):
    key, pem = certificate()
    simulator.admin.add_application(TENANT, ApplicationSeed(client_id=APP, certificates_pem=(pem,)))
    endpoint = f"{simulator.authority_url}/{TENANT}/oauth2/v2.0/token"
    other_key, _ = certificate()

    async def status(text: str) -> int:
        answer = await ask_for_token(
            http,
            simulator.authority_url,
            client_secret=None,
            client_assertion=text,
            client_assertion_type=BEARER,
        )
        return answer.status_code

    past = datetime.now(UTC) - timedelta(seconds=1)
    assert await status(assertion(key, endpoint)) == 200
    assert await status(assertion(other_key, endpoint)) == 401
    assert await status(assertion(key, "https://elsewhere.example/token")) == 401
    assert await status(assertion(key, endpoint, exp=past)) == 401
    assert await status(assertion(key, endpoint, sub="somebody")) == 401
    assert await status("no assertion") == 401


async def test_a_trusted_issuer_stands_for_the_secret(
    http: httpx.AsyncClient, simulator: Simulator
):
    key, _ = certificate()
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    workload = FederatedSeed(
        issuer="https://kubernetes.example", subject="retractor", public_key_pem=public.decode()
    )
    simulator.admin.add_application(TENANT, ApplicationSeed(client_id=APP, federated=(workload,)))

    answer = await ask_for_token(
        http,
        simulator.authority_url,
        client_secret=None,
        client_assertion=assertion(key, workload.audience, iss=workload.issuer, sub="retractor"),
        client_assertion_type=BEARER,
    )

    assert answer.status_code == 200


async def test_a_call_without_a_good_token_is_refused(graph: Graph):
    async def refused(value: str) -> tuple[int, str, str]:
        answer = await graph.call("GET", "users", headers={"Authorization": value})
        assert answer.headers["www-authenticate"].startswith("Bearer ")
        return error_of(answer)

    tampered = graph.token[:-8] + "AAAAAAAA"
    forged = jwt.encode({"aud": "https://graph.microsoft.com"}, "k" * 32, "HS256")
    assert (await refused("Basic x"))[1:] == (
        "InvalidAuthenticationToken",
        "Access token is empty.",
    )
    assert (await refused("Bearer a.b.c"))[:2] == (401, "InvalidAuthenticationToken")
    assert (await refused(f"Bearer {forged}"))[:2] == (401, "InvalidAuthenticationToken")
    assert (await refused(f"Bearer {tampered}"))[2] == "Access token validation failure."


async def test_revoked_tokens_are_refused_with_a_claims_challenge_and_new_ones_count(
    graph: Graph, http: httpx.AsyncClient, simulator: Simulator
):
    simulator.admin.revoke_tokens(TENANT, APP)

    refused = await graph.get("users")
    graph.token = (await ask_for_token(http, simulator.authority_url)).json()["access_token"]

    assert refused.status_code == 401
    assert 'error="insufficient_claims", claims="' in refused.headers["www-authenticate"]
    assert (await graph.get("users")).status_code == 200


async def test_without_consent_there_are_no_new_tokens(
    graph: Graph, http: httpx.AsyncClient, simulator: Simulator
):
    simulator.admin.set_consent(TENANT, APP, is_consented=False)

    answer = await ask_for_token(http, simulator.authority_url)

    assert refusal(answer) == (400, "unauthorized_client", 700016)
    assert (await graph.get("users")).status_code == 200, "what was issued lives on"


async def test_rights_granted_in_exchange_are_not_in_the_token_but_count(
    http: httpx.AsyncClient, simulator: Simulator, graph: Graph
):
    answer = await ask_for_token(http, simulator.authority_url, client_id=SCOPED)
    graph.token = answer.json()["access_token"]

    claims = jwt.decode(graph.token, options={"verify_signature": False})

    assert "roles" not in claims
    assert (await graph.get("users/bob@contoso.example/messages")).status_code == 200


async def test_sign_in_can_be_made_to_fail_and_is_counted(
    http: httpx.AsyncClient, simulator: Simulator
):
    simulator.admin.add_rule(Rule(match=Match(operation="token"), effect=Effect(status=503)))

    statuses = [(await ask_for_token(http, simulator.authority_url)).status_code for _ in range(2)]

    assert statuses == [503, 200]
    assert simulator.admin.statistics()["token_requests"] == {"503": 1, "200": 1}


async def test_the_graph_s_own_address_is_an_audience(
    http: httpx.AsyncClient, simulator: Simulator
):
    scope = f"{simulator.graph_url}/.default"

    answer = await ask_for_token(http, simulator.authority_url, scope=scope)

    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert claims["aud"] == simulator.graph_url


async def test_the_certificate_stands_up_to_strict_verification(simulator: Simulator):
    # What Python 3.13 does by default (RFC 5280).
    context = ssl.create_default_context(cafile=simulator.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT

    async with httpx.AsyncClient(verify=context) as strict:
        answer = await strict.get(
            f"{simulator.graph_url.replace('localhost', '127.0.0.1')}/__sim/state"
        )

    assert answer.status_code == 200
