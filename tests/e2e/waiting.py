"""Waiting for what happens in other processes."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

_LOOK_AGAIN_SECONDS = 0.05


def until(
    look: Callable[[], T | None],
    what: str,
    seconds: float = 90.0,
    *,
    look_again_seconds: float = _LOOK_AGAIN_SECONDS,
) -> T:
    """Return the first truthy answer of `look`; the test fails where there is none in time."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(look_again_seconds)
    return found
