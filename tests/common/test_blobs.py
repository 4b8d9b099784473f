"""The local blob folder."""

import asyncio
import errno
import os
import stat
from hashlib import sha256

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from libs.common.blobs.group_commit import SystemDisk
from libs.common.blobs.keys import blob_key, verified
from libs.common.blobs.local import open_local_blobs
from libs.common.blobs.opening import open_blobs
from libs.common.errors import ConfigurationError, PermanentError, StartError, TransientError
from tests.contracts.blobs import AT, CONTENT, BlobsContract, key_of
from tests.fakes.blobs import FakeBlobs


class TestFakeBlobs(BlobsContract):
    @pytest.fixture
    def blobs(self):
        return FakeBlobs()


class TestLocalBlobs(BlobsContract):
    @pytest_asyncio.fixture
    async def blobs(self, tmp_path):
        async with open_blobs(f"file://{tmp_path}/mail%20store") as blobs:
            yield blobs


class FailingDisk(SystemDisk):
    """A disk that fails as told, and counts its flushes."""

    def __init__(self, *, on_write=None, on_sync=None):
        self.on_write = on_write
        self.on_sync = on_sync
        self.syncs = 0

    def write(self, descriptor, content):
        if self.on_write:
            os.write(descriptor, content[: len(content) // 2])
            raise OSError(self.on_write, os.strerror(self.on_write))
        return super().write(descriptor, content)

    def sync(self, descriptor):
        self.syncs += 1
        if self.on_sync:
            raise OSError(self.on_sync, os.strerror(self.on_sync))
        super().sync(descriptor)


class ShortDisk(SystemDisk):
    """A disk that takes a few bytes at a time, as a signal or a quota may make it."""

    def write(self, descriptor, content):
        return super().write(descriptor, content[:5])


def files_below(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ({"on_write": errno.ENOSPC}, "blob_store_full"),
        ({"on_write": errno.EDQUOT}, "blob_store_full"),
        ({"on_write": errno.EIO}, "blob_store_unavailable"),
        ({"on_sync": errno.EIO}, "blob_store_unavailable"),
        ({"on_sync": errno.ENOSPC}, "blob_store_full"),
    ],
)
async def test_a_failing_disk_stores_nothing_and_a_mended_one_does(tmp_path, failure, reason):
    disk = FailingDisk(**failure)
    async with open_local_blobs(tmp_path, disk=disk) as blobs:
        with pytest.raises(TransientError) as caught:
            await blobs.put(key_of(CONTENT), CONTENT)
        left = files_below(tmp_path)
        disk.on_write = disk.on_sync = None
        await blobs.put(key_of(CONTENT), CONTENT)

        assert caught.value.reason == reason
        assert left == []
        assert await blobs.get(key_of(CONTENT)) == CONTENT


async def test_a_folder_that_cannot_be_flushed_fails_what_was_put_in_it(tmp_path):
    class LosesNames(SystemDisk):
        def sync(self, descriptor):
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(errno.EIO, os.strerror(errno.EIO))

    (tmp_path / key_of(CONTENT)).parent.mkdir(parents=True)
    async with open_local_blobs(tmp_path, disk=LosesNames()) as blobs:
        with pytest.raises(TransientError, match="blob_store_unavailable"):
            await blobs.put(key_of(CONTENT), CONTENT)


async def test_a_disk_that_takes_few_bytes_at_a_time_still_gets_all(tmp_path):
    async with open_local_blobs(tmp_path, disk=ShortDisk()) as blobs:
        await blobs.put(key_of(CONTENT), CONTENT)

        assert await blobs.get(key_of(CONTENT)) == CONTENT


async def test_file_and_folder_are_flushed_before_put_returns(tmp_path):
    disk = FailingDisk()
    async with open_local_blobs(tmp_path, disk=disk) as blobs:
        await blobs.put(key_of(b"first"), b"first")
        before = disk.syncs

        await blobs.put(key_of(CONTENT), CONTENT)
        after_new = disk.syncs
        await blobs.put(key_of(CONTENT), CONTENT)

    assert after_new - before == 2
    # It may be there from a writer that was killed before its flush.
    assert disk.syncs - after_new == 2


async def test_many_at_once_share_the_flushes_of_their_folder(tmp_path):
    disk = FailingDisk()
    contents = [str(number).encode() for number in range(200)]
    async with open_local_blobs(tmp_path, disk=disk) as blobs, asyncio.TaskGroup() as group:
        for content in contents:
            group.create_task(blobs.put(key_of(content), content))

    assert 200 < disk.syncs < 240


async def test_a_cancelled_put_disturbs_no_other(tmp_path):
    async with open_local_blobs(tmp_path) as blobs:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await blobs.put(key_of(b"cancelled"), b"cancelled")

        await blobs.put(key_of(CONTENT), CONTENT)

        assert await blobs.get(key_of(CONTENT)) == CONTENT


async def test_a_damaged_file_is_replaced_when_its_mail_comes_again(tmp_path):
    async with open_local_blobs(tmp_path) as blobs:
        await blobs.put(key_of(CONTENT), CONTENT)
        (tmp_path / key_of(CONTENT)).write_bytes(CONTENT[:7])

        await blobs.put(key_of(CONTENT), CONTENT)

        assert await blobs.get(key_of(CONTENT)) == CONTENT


async def test_only_the_owner_may_read_mail(tmp_path):
    umask = os.umask(0)
    try:
        async with open_local_blobs(tmp_path / "mail") as blobs:
            await blobs.put(key_of(CONTENT), CONTENT)
    finally:
        os.umask(umask)

    made = [tmp_path / "mail", *(tmp_path / "mail").rglob("*")]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_dir()}
    assert modes == {0o700}
    assert [stat.S_IMODE(path.stat().st_mode) for path in made if path.is_file()] == [0o600]


async def test_a_folder_that_others_may_enter_is_pointed_out(tmp_path):
    tmp_path.chmod(0o755)
    with capture_logs() as logs:
        async with open_local_blobs(tmp_path):
            pass

    assert [line["event"] for line in logs] == ["blob_folder_open_to_others"]


async def test_leftovers_of_a_killed_writer_go_but_not_those_of_one_at_work(tmp_path):
    async with open_local_blobs(tmp_path):
        pass
    old, young = tmp_path / ".incoming" / "old", tmp_path / ".incoming" / "young"
    for leftover in (old, young):
        leftover.write_bytes(b"half")
    os.utime(old, (0, 0))

    async with open_local_blobs(tmp_path):
        pass

    assert files_below(tmp_path) == [young]


async def test_a_folder_that_vanished_is_an_outage_and_no_missing_mail(tmp_path):
    async with open_local_blobs(tmp_path / "volume") as blobs:
        (tmp_path / "volume").rename(tmp_path / "unmounted")

        for attempt in (
            blobs.put(key_of(CONTENT), CONTENT),
            blobs.get(key_of(CONTENT)),
            blobs.check(),
            blobs.days(),
        ):
            with pytest.raises(TransientError) as caught:
                await attempt
            assert caught.value.reason == "blob_store_unavailable"

    assert not (tmp_path / "volume").exists()


async def test_a_store_with_room_is_ready(tmp_path):
    async with open_local_blobs(tmp_path) as blobs:
        await blobs.check()


async def test_a_place_that_is_no_folder_stops_the_start_with_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StartError, match=r"cannot keep mail in .*file/mail: Not a directory"):
        async with open_blobs(f"file://{tmp_path}/file/mail"):
            pass


@pytest.mark.parametrize(
    "url", ["gs://bucket/mail", "/var/mail", "file:mail", "file://host/mail", "s3://["]
)
async def test_an_unknown_store_is_the_operators_mistake(url):
    with pytest.raises(ConfigurationError, match="file:///absolute"):
        async with open_blobs(url):
            pass


def test_a_key_needs_an_instant_with_a_time_zone():
    with pytest.raises(ValueError, match="time zone"):
        blob_key("acme", AT.replace(tzinfo=None), "0" * 64)


def test_a_reader_notices_what_the_disk_has_changed():
    promised = sha256(CONTENT).hexdigest()

    assert verified(CONTENT, promised) == CONTENT
    with pytest.raises(PermanentError, match="blob_corrupt"):
        verified(CONTENT[:-1], promised)
