"""What every store for raw mail does. Subclasses give one fixture: `blobs`."""

import asyncio
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from libs.common.blobs.keys import blob_key
from libs.common.errors import PermanentError

AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
CONTENT = b"From: ann@example.com\r\n\r\n\x00\xff\r\n"


def key_of(content: bytes, tenant: str | None = "acme") -> str:
    return blob_key(tenant, AT, sha256(content).hexdigest())


class BlobsContract:
    """One store, seen from outside."""

    async def test_what_was_put_comes_back_byte_for_byte(self, blobs):
        await blobs.put(key_of(CONTENT), CONTENT)

        assert await blobs.get(key_of(CONTENT)) == CONTENT

    async def test_nothing_is_something_that_can_be_kept(self, blobs):
        await blobs.put(key_of(b""), b"")

        assert await blobs.get(key_of(b"")) == b""

    async def test_mail_without_a_tenant_has_its_place(self, blobs):
        key = key_of(CONTENT, tenant=None)

        await blobs.put(key, CONTENT)

        assert key.startswith("-/2026/01/05/")
        assert await blobs.get(key) == CONTENT

    async def test_two_tenants_keep_the_same_mail_apart(self, blobs):
        await blobs.put(key_of(CONTENT, "acme"), CONTENT)
        await blobs.put(key_of(CONTENT, "globex"), CONTENT)
        await blobs.delete(key_of(CONTENT, "acme"))

        assert await blobs.get(key_of(CONTENT, "globex")) == CONTENT

    async def test_a_slice_is_read_without_the_rest(self, blobs):
        await blobs.put(key_of(CONTENT), CONTENT)

        assert await blobs.get(key_of(CONTENT), offset=6, size_bytes=3) == b"ann"
        assert await blobs.get(key_of(CONTENT), offset=6) == CONTENT[6:]

    async def test_beyond_the_end_there_is_nothing(self, blobs):
        await blobs.put(key_of(CONTENT), CONTENT)

        assert await blobs.get(key_of(CONTENT), offset=10_000) == b""
        assert await blobs.get(key_of(CONTENT), offset=6, size_bytes=10_000) == CONTENT[6:]

    async def test_the_same_again_changes_nothing(self, blobs):
        await blobs.put(key_of(CONTENT), CONTENT)
        await blobs.put(key_of(CONTENT), CONTENT)

        assert await blobs.get(key_of(CONTENT)) == CONTENT

    async def test_the_same_at_the_same_time_is_stored_once_and_told_to_all(self, blobs):
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(blobs.put(key_of(CONTENT), CONTENT))

        assert await blobs.get(key_of(CONTENT)) == CONTENT

    async def test_many_at_once_are_all_there_afterwards(self, blobs):
        contents = [f"mail {number}".encode() for number in range(300)]

        async with asyncio.TaskGroup() as group:
            for content in contents:
                group.create_task(blobs.put(key_of(content), content))

        assert [await blobs.get(key_of(content)) for content in contents] == contents

    async def test_content_that_its_key_does_not_promise_is_not_stored(self, blobs):
        with pytest.raises(ValueError, match="hash"):
            await blobs.put(key_of(CONTENT), b"something else")

        with pytest.raises(PermanentError, match="blob_missing"):
            await blobs.get(key_of(CONTENT))

    async def test_what_was_never_put_is_missing(self, blobs):
        with pytest.raises(PermanentError) as caught:
            await blobs.get(key_of(CONTENT))

        assert caught.value.reason == "blob_missing"

    async def test_a_store_that_works_is_ready(self, blobs):
        await blobs.check()

    async def test_what_was_deleted_is_missing_and_may_be_deleted_again(self, blobs):
        await blobs.put(key_of(CONTENT), CONTENT)
        await blobs.delete(key_of(CONTENT))
        await blobs.delete(key_of(CONTENT))

        with pytest.raises(PermanentError, match="blob_missing"):
            await blobs.get(key_of(CONTENT))

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "acme",
            "../acme/2026/01/05/" + "0" * 64,
            "acme/2026/01/05/../../../../etc/passwd",
            "/etc/passwd",
            "acme/2026/01/05/" + "0" * 63,
            "acme/2026/01/05/" + "0" * 64 + "\n",
            "acme/２０２６/01/05/" + "0" * 64,
            "ACME/2026/01/05/" + "0" * 64,
            "acme/2026/01/05/" + "A" * 64,
        ],
    )
    async def test_nothing_but_a_key_is_a_key(self, blobs, key):
        with pytest.raises(ValueError, match="not a blob key"):
            await blobs.put(key, b"")
        with pytest.raises(ValueError, match="not a blob key"):
            await blobs.get(key)
        with pytest.raises(ValueError, match="not a blob key"):
            await blobs.delete(key)
