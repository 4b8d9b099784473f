"""The configuration in force, while it is replaced."""

import asyncio

from libs.common.tenants.current import CurrentConfiguration
from tests.common.deliveries import CONFIGURATION

OLD = CONFIGURATION
NEW = OLD.model_copy(update={"publishers": ()})
NEWEST = OLD.model_copy(update={"journal_addresses": ()})


def test_whoever_asks_gets_the_one_in_force():
    current = CurrentConfiguration(OLD)
    current.replace(NEW)

    assert current.value is NEW


def test_what_is_derived_follows_and_is_made_once_for_each():
    made = []
    current = CurrentConfiguration(OLD)
    publishers = current.derived(lambda each: made.append(each) or len(each.publishers))

    found = [publishers(), publishers()]
    current.replace(NEW)
    found += [publishers(), publishers()]

    assert found == [2, 2, 0, 0]
    assert made == [OLD, NEW]


async def test_work_that_has_begun_sees_one_configuration_throughout_and_so_do_its_tasks():
    current = CurrentConfiguration(OLD)
    publishers = current.derived(lambda each: len(each.publishers))

    async def see():
        return current.value, publishers()

    with current.pinned():
        current.replace(NEW)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(see())
        inside = await see()
    outside = await see()

    assert task.result() == inside == (OLD, 2)
    assert outside == (NEW, 0)


async def test_a_pin_holds_for_its_own_configuration_only():
    one, other = CurrentConfiguration(OLD), CurrentConfiguration(OLD)
    with one.pinned():
        other.replace(NEW)

        assert (one.value, other.value) == (OLD, NEW)


async def test_whoever_acts_on_changes_misses_none():
    current = CurrentConfiguration(OLD)
    edition = current.edition
    current.replace(NEW)
    current.replace(NEWEST)

    async with asyncio.timeout(5):
        second = await edition.successor()
        third = await second.successor()

    assert [edition.configuration, second.configuration, third.configuration] == [OLD, NEW, NEWEST]
