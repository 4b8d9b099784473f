"""Raw mail on S3 and on Azure Blob Storage: the contract, and what only object stores have."""

import asyncio
import base64
import os
import subprocess
import sys
import time

import pytest
import pytest_asyncio
from obstore.store import S3Store

from libs.common.blobs.opening import open_blobs
from libs.common.errors import ConfigurationError, PermanentError, StartError, TransientError
from tests.contracts.blobs import CONTENT, BlobsContract, key_of, listed
from tests.faults.link import Direction
from tests.faults.proxy import network_before

MIB = 1024 * 1024

#: The first test that needs Azurite installs it.
pytestmark = pytest.mark.timeout(300)


class TestS3Blobs(BlobsContract):
    @pytest_asyncio.fixture
    async def blobs(self, s3):
        async with open_blobs(s3.url(s3.fresh(), "/some/prefix")) as blobs:
            yield blobs


class TestAzureBlobs(BlobsContract):
    @pytest_asyncio.fixture
    async def blobs(self, azure):
        async with open_blobs(azure.url(azure.fresh(), "/some/prefix")) as blobs:
            yield blobs


@pytest.fixture(params=["s3", "azure"])
def server(request):
    """Give each kind of store in turn."""
    return request.getfixturevalue(request.param)


async def test_all_of_a_tenant_lies_under_one_prefix_below_the_stores(s3):
    bucket = s3.fresh()
    async with open_blobs(s3.url(bucket, "/some/prefix")) as blobs:
        for tenant in ("acme", "acme-2", None):
            await blobs.put(key_of(CONTENT, tenant), CONTENT)

    whole = S3Store(bucket, endpoint=s3.address, client_options={"allow_http": True})
    found = [each["path"] for page in whole.list() for each in page]
    assert set(found) == {
        f"some/prefix/{key_of(CONTENT, tenant)}" for tenant in (None, "acme", "acme-2")
    }


async def test_two_prefixes_of_one_container_are_two_stores(server):
    container = server.fresh()
    async with (
        open_blobs(server.url(container, "/one")) as one,
        open_blobs(server.url(container)) as other,
    ):
        await one.put(key_of(CONTENT), CONTENT)

        assert list(await one.days()) == ["acme/2026/01/05"]
        assert list(await other.days()) == []
        with pytest.raises(PermanentError, match="blob_missing"):
            await other.get(key_of(CONTENT))


async def test_large_mail_goes_up_in_parts_and_comes_back_whole(server):
    content = os.urandom(MIB) * 20 + b"end"
    async with open_blobs(server.url(server.fresh())) as blobs:
        await blobs.put(key_of(content), content)

        assert await blobs.get(key_of(content)) == content
        assert await blobs.get(key_of(content), offset=20 * MIB) == b"end"


async def test_an_upload_that_is_cut_leaves_no_half_mail(server):
    content = os.urandom(MIB) * 20
    with network_before(server.address) as way:
        url = server.url(server.fresh(), address=way.through(server.address))
        async with open_blobs(url) as blobs:
            way.drop_after(5 * MIB, Direction.TO_SERVER)
            with pytest.raises(TransientError, match="blob_store_unavailable"):
                await blobs.put(key_of(content), content)

            way.resume()
            with pytest.raises(PermanentError, match="blob_missing"):
                await blobs.get(key_of(content))
            assert await listed(blobs, "acme/2026/01/05") == []
            await blobs.put(key_of(content), content)
            assert await blobs.get(key_of(content)) == content


async def test_a_network_that_is_gone_for_a_while_is_an_outage_and_no_missing_mail(server):
    with network_before(server.address) as way:
        url = server.url(server.fresh(), address=way.through(server.address))
        async with open_blobs(url) as blobs:
            await blobs.put(key_of(CONTENT), CONTENT)
            way.refuse()
            way.reset()
            for attempt in (blobs.get(key_of(CONTENT)), blobs.put(key_of(b""), b"")):
                with pytest.raises(TransientError, match="blob_store_unavailable"):
                    await attempt

            way.resume()
            assert await blobs.get(key_of(CONTENT)) == CONTENT


async def test_more_than_one_page_is_listed_whole(s3, monkeypatch):
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "7")
    contents = [str(number).encode() for number in range(30)]
    async with open_blobs(s3.url(s3.fresh())) as blobs:
        for content in contents:
            await blobs.put(key_of(content), content)

        found = [blob.key for blob in await listed(blobs, "acme/2026/01/05")]

    assert sorted(found) == sorted(map(key_of, contents))


async def test_what_others_keep_in_the_same_container_is_left_alone(s3):
    bucket = s3.fresh()
    whole = S3Store(bucket, endpoint=s3.address, client_options={"allow_http": True})
    for path in ("README", "Logs/2026/01/05/x", "acme/2026/01/05/notes.txt", "acme/2026/x/y/z"):
        await whole.put_async(path, b"")
    async with open_blobs(s3.url(bucket)) as blobs:
        await blobs.put(key_of(CONTENT), CONTENT)

        assert list(await blobs.days()) == ["acme/2026/01/05"]
        assert [blob.key for blob in await listed(blobs, "acme/2026/01/05")] == [key_of(CONTENT)]


async def test_a_container_that_is_not_there_stops_the_start(server):
    with pytest.raises(StartError, match=r"there is no such (bucket|container); make it first"):
        async with open_blobs(server.url("never-made")):
            pass


async def test_a_wrong_key_stops_the_start_and_is_not_shown(azure, credentials):
    key = base64.b64encode(b"another key").decode()
    credentials({**azure.environment, "AZURE_STORAGE_ACCOUNT_KEY": key})

    with pytest.raises(StartError, match="access refused") as caught:
        async with open_blobs(azure.url(azure.fresh())):
            pass
    assert key not in str(caught.value)


async def test_half_of_a_pair_of_credentials_is_the_operators_mistake(s3, credentials):
    credentials({"AWS_ACCESS_KEY_ID": "id"})

    with pytest.raises(ConfigurationError, match="AWS_SECRET_ACCESS_KEY is not"):
        async with open_blobs(s3.url("mail")):
            pass


async def test_the_event_loop_goes_on_while_large_mail_is_kept(azure):
    content = bytes(64 * MIB)
    longest = 0.0

    async def tick():
        nonlocal longest
        while True:
            began = time.monotonic()
            await asyncio.sleep(0)
            longest = max(longest, time.monotonic() - began)

    async with open_blobs(azure.url(azure.fresh())) as blobs:
        ticking = asyncio.ensure_future(tick())
        began = time.monotonic()
        await blobs.put(key_of(content), content)
        took = time.monotonic() - began
        ticking.cancel()

    assert longest < max(0.2, took / 3)


_SHORT_LIFE = """
import asyncio, sys
from libs.common.blobs.opening import open_blobs

async def main(url, key):
    async with open_blobs(url) as blobs:
        await blobs.put(key, b"")
        try:
            async with asyncio.timeout(0):
                await blobs.get(key)
        except TimeoutError:
            pass

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_process_that_has_used_the_store_ends_in_good_order(s3):
    url = s3.url(s3.fresh())
    lives = [
        subprocess.run([sys.executable, "-c", _SHORT_LIFE, url, key_of(b"")], check=False)
        for _ in range(3)
    ]
    assert [life.returncode for life in lives] == [0, 0, 0]
