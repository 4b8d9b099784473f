"""The configuration in force, which may be replaced while the process runs."""

from collections.abc import Callable
from typing import TypeVar

from libs.common.tenants.model import Configuration

D = TypeVar("D")


class CurrentConfiguration:
    """Holds one whole configuration at a time: whoever reads asks each time, and never keeps it."""

    def __init__(self, configuration: Configuration) -> None:
        self._value = configuration

    @property
    def value(self) -> Configuration:
        """The configuration in force now."""
        return self._value

    def replace(self, configuration: Configuration) -> None:
        """Put another one in force, all of it at once."""
        self._value = configuration

    def derived(self, make: Callable[[Configuration], D]) -> Callable[[], D]:
        """Return what gives `make` of the configuration in force, made once for each.

        A `make` that fails leaves nothing behind: the next call tries again.
        """
        made: tuple[Configuration, D] | None = None

        def give() -> D:
            nonlocal made
            if made is None or made[0] is not self._value:
                configuration = self._value
                made = (configuration, make(configuration))
            return made[1]

        return give
