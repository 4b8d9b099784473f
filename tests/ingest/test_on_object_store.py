"""The service on S3: what clients hear 250 for lies there, and while it is away they keep it."""

import json

import pytest
import pytest_asyncio

from libs.common.blobs.opening import open_blobs
from libs.common.broker.postgres import declare
from libs.common.broker.topology import UNDELIVER
from libs.common.errors import TransientError
from tests.faults.proxy import network_before
from tests.ingest.listening import ACME, Client
from tests.ingest.reports import original, report
from tests.ingest.site import Site
from tests.services import object_stores


@pytest.fixture(scope="module")
def s3():
    with object_stores.s3() as server:
        yield server


@pytest_asyncio.fixture
async def site(database, tmp_path, s3, monkeypatch):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    await declare(database.superuser_dsn, UNDELIVER)
    site = Site(database, tmp_path / "unused")
    site.blob_url = s3.url(s3.fresh(), "/eu")
    return site


async def test_mail_is_in_the_bucket_before_its_client_hears_so(site):
    async with (
        site.running() as door,
        Client.connect(door.smtp_port) as client,
        open_blobs(site.blob_url) as blobs,
    ):
        assert (await client.deliver(report(), ACME)).startswith("250")

        (announced,) = await site.announced(1)
        raw = json.loads(announced.body)["raw"]
        assert await blobs.get(raw["store_key"]) == report()
        kept = await blobs.get(
            raw["store_key"], offset=raw["original_offset"], size_bytes=len(original())
        )
        assert kept == original()
    assert not site.folder.exists()


async def test_while_the_store_is_away_clients_keep_their_mail_and_readiness_says_so(site, s3):
    bucket_url = site.blob_url
    with network_before(s3.address) as way:
        site.blob_url = bucket_url.replace(s3.address.rpartition(":")[2], str(way.port))
        async with site.running() as door, Client.connect(door.smtp_port) as client:
            await door.checks["blobs"]()
            way.refuse()
            way.reset()
            answer = await client.deliver(report(), ACME)
            assert answer == "451 4.3.0 Not accepted now, try again later"
            with pytest.raises(TransientError, match="blob_store_unavailable"):
                await door.checks["blobs"]()

            way.resume()
            assert (await client.deliver(report(), ACME)).startswith("250")
            await door.checks["blobs"]()

    assert await site.count() == 1
