"""SIGKILL in the middle of `put`: a blob is there whole, or not at all."""

import os
import signal
import subprocess
import sys
from hashlib import sha256

import pytest

_WRITER = """
import asyncio, hashlib, pathlib, sys, time
from datetime import datetime, UTC
from libs.common.blobs.group_commit import SystemDisk
from libs.common.blobs.keys import blob_key
from libs.common.blobs.local import open_local_blobs

class PageByPage(SystemDisk):
    def write(self, descriptor, content):
        time.sleep(0.001)  # many moments to be killed in
        return super().write(descriptor, content[:4096])

async def write(blobs, worker):
    number = 0
    while True:
        number += 1
        content = f"{worker} {number} ".encode() * 20_000
        key = blob_key("acme", datetime.now(UTC), hashlib.sha256(content).hexdigest())
        await blobs.put(key, content)
        print(key, flush=True)

async def main(folder):
    async with open_local_blobs(
        pathlib.Path(folder), disk=PageByPage()
    ) as blobs, asyncio.TaskGroup() as group:
        for worker in range(16):
            group.create_task(write(blobs, worker))

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize("confirmed_before_kill", [1, 30, 150])
def test_what_was_confirmed_before_a_kill_is_whole_and_nothing_is_half(
    tmp_path, confirmed_before_kill
):
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        confirmed = [writer.stdout.readline() for _ in range(confirmed_before_kill)]
        os.kill(writer.pid, signal.SIGKILL)
        confirmed += writer.stdout.readlines()

    whole = [line.strip() for line in confirmed if line.endswith("\n")]
    assert len(whole) >= confirmed_before_kill
    for key in whole:
        assert sha256((tmp_path / key).read_bytes()).hexdigest() == key.rpartition("/")[2]
    for path in (tmp_path / "acme").rglob("*"):
        if path.is_file():
            assert sha256(path.read_bytes()).hexdigest() == path.name
