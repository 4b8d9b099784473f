"""The consumer loop while the configuration changes under it."""

import asyncio

import pytest

from tests.common.deliveries import CONFIGURATION, Retractor, command

WITHOUT_SOAR = CONFIGURATION.model_copy(
    update={"publishers": tuple(p for p in CONFIGURATION.publishers if p.name != "soar")}
)


@pytest.fixture
def retractor(clock):
    return Retractor(clock)


async def test_rights_that_are_withdrawn_are_withdrawn_for_the_next_message(retractor):
    handled = []

    async def handle(contract, publish):
        handled.append(publish.cause.message_id)

    async with retractor.runs(handle):
        await retractor.takes(command("before"))
        retractor.configuration.replace(WITHOUT_SOAR)
        await retractor.takes(command("without"))
        retractor.configuration.replace(CONFIGURATION)
        await retractor.takes(command("again"))

    assert handled == ["before", "again"]
    assert retractor.letters() == [("without", "not_authorised")]


async def test_a_message_is_handled_by_one_configuration_though_another_comes_into_force(
    retractor,
):
    seen, may_go_on = [], asyncio.Event()

    async def handle(contract, publish):
        seen.append((publish.cause.message_id, retractor.configuration.value))
        await may_go_on.wait()
        seen.append((publish.cause.message_id, retractor.configuration.value))

    async with retractor.runs(handle):
        await retractor.takes(command("first"))
        retractor.configuration.replace(narrower := CONFIGURATION.model_copy())
        await retractor.takes(command("second"))
        may_go_on.set()
        await retractor.passes(0)

    assert [value for name, value in seen if name == "first"] == [CONFIGURATION, CONFIGURATION]
    assert all(value is CONFIGURATION for name, value in seen if name == "first")
    assert all(value is narrower for name, value in seen if name == "second")
    assert len(seen) == 4
