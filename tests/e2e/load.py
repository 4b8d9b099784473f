"""A stream of mail while something is broken."""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import count

import pytest

from tests.e2e.balance import Counts, some_mail
from tests.e2e.exchange import exchange
from tests.e2e.scene import Scene
from tests.e2e.waiting import until

#: From one more report accepted to the blow: as long as a message is in somebody's hands.
_LONGEST_PAUSE_SECONDS = 0.05
_STREAMS = count(1)

#: Breaks something on entering, and mends it on leaving.
Blow = Callable[[Scene], AbstractContextManager[None]]

#: How often a test strikes, and how many messages are sent around each blow.
short_and_long = pytest.mark.parametrize(
    ("times", "size"),
    [
        pytest.param(1, 16, marks=pytest.mark.timeout(240), id="short"),
        pytest.param(12, 60, marks=[pytest.mark.long, pytest.mark.timeout(1800)], id="long"),
    ],
)


def under_load(stage: Scene, blows: Sequence[Blow], *, size: int, seed: int = 20261122) -> Counts:
    """Send so many messages before and during each blow, and return what became of all.

    A sender hears 250, 451, 421 of a service that is being stopped, or nothing at all.
    """
    chance = random.Random(seed)
    mails = some_mail(next(_STREAMS) * 10_000, len(blows) * size)
    stage.deliver(mails)
    with exchange(*stage.undeliver.smtp_ports) as sender:
        for start, blow in zip(range(0, len(mails), size), blows, strict=True):
            most = start + size * 3 // 4
            before, during = mails[start:most], mails[most : start + size]
            sender.send(before)
            enough = len(sender.accepted) + chance.randint(1, len(before) * 2 // 3)
            until(lambda: len(sender.accepted) >= enough, "more reports")  # noqa: B023
            time.sleep(chance.uniform(0, _LONGEST_PAUSE_SECONDS))
            with blow(stage):
                sender.send(during)
                # What Exchange could not know to be taken, and what it sends again all the same.
                sender.send(chance.sample(before, 1))
        counts = stage.balance(mails, sender)
    assert set(sender.refused) <= {None, 421, 451}
    return counts
