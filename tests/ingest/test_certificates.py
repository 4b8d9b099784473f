"""The certificate: said clearly when it is wrong, replaced while clients are connected."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from structlog.testing import capture_logs

from libs.common.broker.beside import beside
from libs.common.clock import SystemClock
from libs.common.errors import ConfigurationError
from services.ingest import metrics
from services.ingest.adapters.smtp import CertificateFiles, ServerCertificate, Tls
from tests.ingest.certificates import certificate, new_key, pem, trusting, write_pair
from tests.ingest.listening import Client, listening

MAIL = b"Subject: hello\r\n\r\nhello\r\n"
CLOCK = SystemClock()

#: Of SM2, which OpenSSL knows and we do not.
OF_ANOTHER_KIND = b"""
-----BEGIN CERTIFICATE-----
MIIBbTCCAROgAwIBAgIUbiLjVKBlMMEntqcFGRUgqn+70TkwCgYIKoEcz1UBg3Uw
DDEKMAgGA1UEAwwBeDAeFw0yNjExMjIxMjQ1MDFaFw0yNjEyMDIxMjQ1MDFaMAwx
CjAIBgNVBAMMAXgwWTATBgcqhkjOPQIBBggqgRzPVQGCLQNCAARZG7p3ip87j6xz
hjSvovvUoG7YgYPwaWv2HHr6o45uleSnrlgT/q7eLIaBER8nxd9iz3V1xTLeBjYs
0I1NdlYYo1MwUTAdBgNVHQ4EFgQUVIzsWBZujGu/Hj7SExROs5ABHLswHwYDVR0j
BBgwFoAUVIzsWBZujGu/Hj7SExROs5ABHLswDwYDVR0TAQH/BAUwAwEB/zAKBggq
gRzPVQGDdQNIADBFAiEAv2ro6fKEMSe+MNFF8WqoXC75cKEUnOJQaKUT+VAw8nIC
IFP3z3bZsHqM53XAM4S8iGGe4KZUTmFsRFcDvKxPocc9
-----END CERTIFICATE-----
"""


def spoil_missing_certificate(files):
    files.certificate.unlink()


def spoil_missing_key(files):
    files.key.unlink()


def spoil_certificate(files):
    files.certificate.write_bytes(b"no certificate\n")


def spoil_kind(files):
    """Write a certificate for a key on a curve that is not known here (SM2)."""
    files.certificate.write_bytes(OF_ANOTHER_KIND)


def spoil_swapped(files):
    files.certificate.write_bytes(files.key.read_bytes())


def spoil_key(files):
    files.key.write_bytes(b"no key\n")


def spoil_mismatch(files):
    files.key.write_bytes(pem(new_key()))


def spoil_encrypted_key(files):
    files.key.write_bytes(pem(new_key(), password=b"secret"))


@pytest.mark.parametrize(
    ("spoil", "named", "words"),
    [
        (spoil_missing_certificate, "INGEST_TLS_CERTIFICATE: {certificate}", "cannot be read: No"),
        (spoil_missing_key, "INGEST_TLS_KEY: {key}", "cannot be read: No such file"),
        (spoil_certificate, "INGEST_TLS_CERTIFICATE: {certificate}", "holds no certificate in PEM"),
        (spoil_kind, "INGEST_TLS_CERTIFICATE: {certificate}", "or not one for a key that is known"),
        (spoil_swapped, "INGEST_TLS_CERTIFICATE: {certificate}", "holds no certificate in PEM"),
        (spoil_key, "INGEST_TLS_KEY: {key}", "holds no private key in PEM; write the key of"),
        (spoil_mismatch, "INGEST_TLS_KEY: {key}", "is not the key of {certificate}"),
        (spoil_encrypted_key, "INGEST_TLS_KEY: {key}", "is encrypted; write the key without"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_setting_and_the_remedy(
    tmp_path, spoil, named, words
):
    files, _ = write_pair(tmp_path)
    spoil(files)

    with pytest.raises(ConfigurationError) as raised:
        ServerCertificate(files, CLOCK)

    paths = {"certificate": files.certificate, "key": files.key}
    assert str(raised.value).startswith(named.format(**paths))
    assert words.format(**paths) in str(raised.value)
    assert "; " in str(raised.value)


@pytest.mark.parametrize(
    ("mode", "certificate", "key", "outcome"),
    [
        ("off", None, None, None),
        ("optional", None, "key", "INGEST_TLS_CERTIFICATE: is not set, and INGEST_TLS=optional"),
        ("required", "crt", None, "INGEST_TLS_KEY: is not set, and INGEST_TLS=required needs it"),
    ],
)
def test_files_are_named_where_they_are_needed(mode, certificate, key, outcome):
    if outcome is None:
        assert CertificateFiles.named(mode, certificate, key) is None
        return
    with pytest.raises(ConfigurationError, match=outcome):
        CertificateFiles.named(mode, certificate, key)


def test_a_certificate_that_nobody_asked_for_is_pointed_out(tmp_path):
    files, _ = write_pair(tmp_path)
    with capture_logs() as logs:
        assert CertificateFiles.named("off", files.certificate, files.key) is None

    assert [log["event"] for log in logs] == ["smtp_certificate_not_used"]


async def test_an_expired_certificate_is_shown_all_the_same_and_said_to_be(keeper, tmp_path):
    expired_at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    files, _ = write_pair(tmp_path, expires_at=expired_at)
    with capture_logs() as logs:
        tls = Tls(ServerCertificate(files, CLOCK), is_required=True)
    async with listening(keeper, tls=tls) as listener, Client.connect(listener.port) as client:
        await client.encrypt(trusting())
        assert (await client.deliver(MAIL)).startswith("250")

    assert ("smtp_certificate_expired", "error") in said(logs)
    assert metrics.CERTIFICATE_EXPIRY._value.get() == expired_at.timestamp()


async def test_a_certificate_that_expires_while_running_is_said_to_be_once(tmp_path, clock):
    files, _ = write_pair(tmp_path, expires_at=clock.now() + timedelta(hours=1))
    shown = ServerCertificate(files, clock)
    with capture_logs() as logs:
        await shown.refresh()
        assert logs == []
        await clock.advance(3600.0)
        await shown.refresh()
        await shown.refresh()

    assert said(logs) == [("smtp_certificate_expired", "error")]


def said(logs):
    return [(log["event"], log["log_level"]) for log in logs]


async def test_who_connects_after_a_renewal_gets_the_new_one_and_nobody_is_dropped(
    keeper, tmp_path
):
    files, before = write_pair(tmp_path)
    shown = ServerCertificate(files, CLOCK)
    async with (
        listening(keeper, tls=Tls(shown, is_required=False)) as listener,
        Client.connect(listener.port) as early,
        Client.connect(listener.port) as undecided,
    ):
        await early.encrypt(trusting())
        await early.begin()
        expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=80)
        _, after = write_pair(tmp_path, "rsa", expires_at)
        await shown.refresh()
        await undecided.encrypt(trusting())
        async with Client.connect(listener.port) as late:
            await late.encrypt(trusting())
            assert (early.certificate, late.certificate) == (before, after)
            assert undecided.certificate == after
            assert (await late.deliver(MAIL)).startswith("250")
        await early.send(MAIL + b".\r\n")
        assert (await early.reply()).startswith("250")

    assert len(keeper.kept) == 2
    assert metrics.CERTIFICATE_EXPIRY._value.get() == expires_at.timestamp()


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_missing_certificate,
        spoil_certificate,
        spoil_kind,
        spoil_mismatch,
        spoil_encrypted_key,
    ],
)
async def test_a_broken_renewal_keeps_the_old_one_and_is_said_once(keeper, tmp_path, spoil):
    files, before = write_pair(tmp_path)
    shown = ServerCertificate(files, CLOCK)
    contents = [path.read_bytes() for path in (files.certificate, files.key)]
    spoil(files)
    with capture_logs() as logs:
        await shown.refresh()
        await shown.refresh()
    async with (
        listening(keeper, tls=Tls(shown, is_required=False)) as listener,
        Client.connect(listener.port) as client,
    ):
        await client.encrypt(trusting())
        assert client.certificate == before

    assert said(logs) == [("smtp_certificate_not_replaced", "error")]
    for path, content in zip((files.certificate, files.key), contents, strict=True):
        path.write_bytes(content)
    with capture_logs() as logs:
        await shown.refresh()
    assert logs == []


async def test_one_file_after_the_other_is_a_renewal_once_both_are_there(tmp_path):
    files, _ = write_pair(tmp_path)
    shown = ServerCertificate(files, CLOCK)
    first, key = shown.context, new_key()
    made = certificate(key).public_bytes(serialization.Encoding.PEM)

    files.certificate.write_bytes(made)
    await shown.refresh()
    halfway = shown.context
    files.key.write_bytes(pem(key))
    await shown.refresh()

    assert halfway is first
    assert shown.context is not first


async def test_a_secret_that_kubernetes_swaps_is_followed_within_a_minute(tmp_path, clock):
    def publish(version):
        folder = tmp_path / version
        folder.mkdir()
        write_pair(folder)
        (tmp_path / "..tmp").symlink_to(folder)
        (tmp_path / "..tmp").replace(tmp_path / "..data")

    publish("..v1")
    files = CertificateFiles(tmp_path / "tls.crt", tmp_path / "tls.key")
    for path in (files.certificate, files.key):
        path.symlink_to(f"..data/{path.name}")
    shown = ServerCertificate(files, clock)
    first = shown.context
    async with beside(shown.watch()), asyncio.timeout(20):
        publish("..v2")
        while shown.context is first:
            await clock.advance(30.0)
            await asyncio.sleep(0.01)  # the files are read in a thread
