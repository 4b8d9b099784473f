"""RabbitMQ over TLS: the certificate is checked, against the system's authorities or a file's."""

import asyncio
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from libs.common.broker.rabbitmq.declaration import declare
from libs.common.errors import TransientError
from tests.common.rabbits import broker
from tests.contracts.broker_rig import CLASSIFIER, TOPOLOGY, ids, message, take


@pytest.fixture
def certificate(tmp_path):
    """Give a certificate for 127.0.0.1 that signs itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "broker certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@asynccontextmanager
async def behind_tls(url, certificate):
    """Give the same broker's address behind TLS."""
    parts = urlsplit(url)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def carry(reader, writer):
        inner_reader, inner_writer = await asyncio.open_connection(parts.hostname, parts.port)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(copy(reader, inner_writer))
            tasks.create_task(copy(inner_reader, writer))

    server = await asyncio.start_server(carry, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        login = parts.netloc.rpartition("@")[0]
        yield f"amqps://{login}@127.0.0.1:{port}{parts.path}"


async def copy(source, target):
    try:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    except ConnectionError:
        pass
    finally:
        target.close()


async def test_a_broker_with_a_certificate_of_a_named_authority_is_used(vhost, certificate):
    async with behind_tls(vhost.url_for("cli"), certificate) as url:
        trusting = f"{url}?cafile={quote(str(certificate))}"
        await declare(trusting, TOPOLOGY)
        async with broker(vhost, "cli", url=trusting) as cli:
            await cli.publish([message("m1")])
            async with broker(vhost, "classifier") as classifier:
                [delivery] = await take(classifier, CLASSIFIER)

    assert ids([delivery]) == ["m1"]
    assert delivery.publisher == "cli"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_certificate_that_nobody_vouches_for_is_refused(vhost, certificate, host):
    async with behind_tls(vhost.url_for("cli"), certificate) as url:
        elsewhere = url.replace("127.0.0.1", "localhost")
        vouched_for_another = f"{elsewhere}?cafile={quote(str(certificate))}"
        with pytest.raises(TransientError) as refused:
            async with broker(
                vhost, "cli", url=url if host == "127.0.0.1" else vouched_for_another
            ):
                raise AssertionError("it trusted anybody")

    assert refused.value.reason == "broker_unreachable"
    assert "SSLCertVerificationError" in refused.value.detail
