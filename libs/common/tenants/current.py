"""The configuration in force, which may be replaced while the process runs."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from libs.common.tenants.model import Configuration

D = TypeVar("D")

#: Work may still be pinned to the former configuration when another is in force.
_KEPT = 2


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a configuration comes from, as far as can be proved."""

    changed_by: str
    #: UTC-aware.
    changed_at: datetime


@dataclass(slots=True)
class Edition:
    """A configuration that is in force, or was."""

    configuration: Configuration
    #: None: nobody wrote it down (the demonstration's).
    origin: Origin | None = None
    _following: "list[Edition]" = field(default_factory=list)
    _superseded: asyncio.Event = field(default_factory=asyncio.Event)

    async def successor(self) -> "Edition":
        """Wait until another one comes into force, and return the first that did."""
        await self._superseded.wait()
        return self._following[0]

    def _supersede(self, following: "Edition") -> None:
        self._following.append(following)
        self._superseded.set()


#: Whose configuration this task sees, whatever is in force.
_PINNED: ContextVar["tuple[CurrentConfiguration, Configuration] | None"] = ContextVar(
    "pinned_configuration", default=None
)


class CurrentConfiguration:
    """Holds one whole configuration at a time: whoever reads asks each time, and never keeps it."""

    def __init__(self, configuration: Configuration, origin: Origin | None = None) -> None:
        self._edition = Edition(configuration, origin)

    @property
    def value(self) -> Configuration:
        """The configuration in force now; within `pinned`, the one that was when it began."""
        pinned = _PINNED.get()
        if pinned is not None and pinned[0] is self:
            return pinned[1]
        return self._edition.configuration

    @property
    def edition(self) -> Edition:
        """What is in force now, for those who act upon each change: see `Edition.successor`."""
        return self._edition

    def replace(self, configuration: Configuration, origin: Origin | None = None) -> None:
        """Put another one in force, all of it at once."""
        former, self._edition = self._edition, Edition(configuration, origin)
        former._supersede(self._edition)  # noqa: SLF001 - only here

    @contextmanager
    def pinned(self) -> Iterator[None]:
        """Let the body, and the tasks that it begins, see one configuration throughout.

        So that no message is judged half by the old rules and half by the new ones.
        """
        token = _PINNED.set((self, self.value))
        try:
            yield
        finally:
            _PINNED.reset(token)

    def derived(self, make: Callable[[Configuration], D]) -> Callable[[], D]:
        """Return what gives `make` of the configuration in force, made once for each.

        A `make` that fails leaves nothing behind: the next call tries again.
        """
        made: deque[tuple[Configuration, D]] = deque(maxlen=_KEPT)

        def give() -> D:
            configuration = self.value
            for known, result in made:
                if known is configuration:
                    return result
            result = make(configuration)
            made.append((configuration, result))
            return result

        return give
