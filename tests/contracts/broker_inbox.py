"""What every inbox must do."""

import asyncio
from datetime import timedelta

import pytest

ONE, OTHER = b"1" * 32, b"2" * 32


class InboxContract:
    """A subclass gives the fixtures `inbox`, and `now`: when it takes messages in."""

    @pytest.fixture
    def inbox(self):
        raise LookupError("the inbox's own test gives it")

    @pytest.fixture
    def now(self):
        raise LookupError("the inbox's own test gives it")

    async def test_the_same_body_is_admitted_again(self, inbox):
        assert await inbox.admit("soar", "m1", ONE)
        assert await inbox.admit("soar", "m1", ONE)

    async def test_another_body_under_the_same_key_is_not_admitted(self, inbox):
        await inbox.admit("soar", "m1", ONE)

        assert not await inbox.admit("soar", "m1", OTHER)
        assert await inbox.admit("soar", "m1", ONE)  # the first stays the true one

    async def test_a_key_is_publisher_and_id(self, inbox):
        assert await inbox.admit("soar", "m1", ONE)
        assert await inbox.admit("siem", "m1", OTHER)
        assert await inbox.admit("soar", "m2", OTHER)

    async def test_of_two_bodies_at_once_one_is_admitted(self, inbox):
        answers = await asyncio.gather(
            *(inbox.admit("soar", "m1", body) for body in (ONE, OTHER) for _ in range(5))
        )

        assert sorted((answers[:5], answers[5:])) == [[False] * 5, [True] * 5]

    async def test_what_is_old_is_forgotten_and_nothing_else(self, inbox, now):
        await inbox.admit("soar", "m1", ONE)

        await inbox.forget(now - timedelta(days=1))
        assert not await inbox.admit("soar", "m1", OTHER)

        await inbox.forget(now + timedelta(days=1))
        assert await inbox.admit("soar", "m1", OTHER)
