"""What every store for raw mail does. Subclasses give one fixture: `blobs`."""

import asyncio
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from libs.common.blobs.keys import blob_key
from libs.common.errors import PermanentError

AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
CONTENT = b"From: ann@example.com\r\n\r\n\x00\xff\r\n"


def key_of(content: bytes, tenant: str | None = "acme", at: datetime = AT) -> str:
    return blob_key(tenant, at, sha256(content).hexdigest())


async def listed(blobs, day):
    return [blob async for page in blobs.stored(day) for blob in page]


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

    async def test_an_empty_store_has_no_days(self, blobs):
        assert list(await blobs.days()) == []
        assert await listed(blobs, "acme/2026/01/05") == []

    async def test_each_day_of_each_tenant_is_named_once(self, blobs):
        later, much_later = AT + timedelta(days=1), AT + timedelta(days=400)
        for at in (AT, later, much_later):
            await blobs.put(key_of(CONTENT, "acme", at), CONTENT)
        await blobs.put(key_of(b"", "acme"), b"")
        await blobs.put(key_of(CONTENT, None), CONTENT)

        assert list(await blobs.days()) == [
            "-/2026/01/05",
            "acme/2026/01/05",
            "acme/2026/01/06",
            "acme/2027/02/09",
        ]

    async def test_what_lies_under_a_day_is_listed_with_its_time(self, blobs):
        contents = [f"mail {number}".encode() for number in range(20)]
        before = datetime.now(UTC)
        for content in contents:
            await blobs.put(key_of(content), content)
        for elsewhere in (key_of(b"0", "acme-2"), key_of(b"0", at=AT + timedelta(days=1))):
            await blobs.put(elsewhere, b"0")

        found = await listed(blobs, "acme/2026/01/05")

        assert {blob.key for blob in found} == {key_of(content) for content in contents}
        assert len(found) == len(contents)
        for blob in found:  # stores count whole seconds
            assert abs(blob.modified_at - before) < timedelta(seconds=30)

    async def test_what_was_deleted_is_listed_no_more(self, blobs):
        await blobs.put(key_of(CONTENT), CONTENT)
        await blobs.put(key_of(b""), b"")
        await blobs.delete(key_of(CONTENT))

        assert [blob.key for blob in await listed(blobs, "acme/2026/01/05")] == [key_of(b"")]

    async def test_all_of_a_tenant_lies_under_its_name(self, blobs):
        for tenant in ("acme", "acme-2"):
            await blobs.put(key_of(CONTENT, tenant), CONTENT)

        assert all(day.startswith(("acme/", "acme-2/")) for day in await blobs.days())
        for day in await blobs.days():
            tenant = day.partition("/")[0]
            assert [blob.key for blob in await listed(blobs, day)] == [key_of(CONTENT, tenant)]

    @pytest.mark.parametrize("day", ["", "acme", "acme/2026", "../../../..", "acme/2026/13/40"])
    async def test_nothing_but_a_day_is_a_day(self, blobs, day):
        with pytest.raises(ValueError):  # noqa: PT011 - `date` has its own words
            await listed(blobs, day)

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
