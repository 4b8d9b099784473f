from collections.abc import Callable
from typing import NoReturn

import pytest

from tests.services.choice import Offer, UnavailableError, choose, forced_step


def _missing() -> NoReturn:
    raise UnavailableError("not here")


def _offer(version: str) -> Callable[[], Offer[None]]:
    return lambda: Offer(version, "somewhere", start=_missing)


def test_the_first_step_that_has_a_server_serves_and_the_others_say_why_not():
    steps = {"env": _missing, "local": _offer("15.1"), "wheel": _offer("18.6")}

    choice = choose("postgres", steps, "")

    assert choice.headline() == "postgres: 15.1 by step `local` (somewhere)"
    assert choice.reasons() == "env: not here"


@pytest.mark.parametrize(
    "setting", ["wheel", "postgres=wheel", "rabbitmq=packages, postgres=wheel"]
)
def test_a_forced_step_leaves_the_others_unasked(setting):
    choice = choose("postgres", {"env": _offer("15.1"), "wheel": _offer("18.6")}, setting)

    assert choice.step == "wheel"


def test_a_forced_step_without_a_server_is_no_reason_to_take_another():
    choice = choose("postgres", {"env": _offer("15.1"), "docker": _missing}, "docker")

    assert choice.offer is None
    assert choice.headline() == "postgres: none; docker: not here"


def test_a_step_that_is_forced_for_another_server_changes_nothing():
    assert forced_step("postgres", "rabbitmq=packages") is None


def test_a_step_that_does_not_exist_is_an_error():
    with pytest.raises(ValueError, match="no step `weel`"):
        forced_step("postgres", "postgres=weel")
