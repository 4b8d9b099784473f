"""Follows the configuration file: what is valid comes into force, what is not changes nothing."""

import asyncio
import os
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog

from libs.common import metrics
from libs.common.clock import Clock
from libs.common.errors import ConfigurationError
from libs.common.tenants.current import CurrentConfiguration, Origin
from libs.common.tenants.loading import load_configuration, parse_configuration
from libs.common.tenants.model import Configuration
from libs.common.tenants.yaml_tree import MAX_FILE_BYTES

LOOK_EVERY_SECONDS = 2.0

#: More mistakes than these are not all logged.
_MAX_PROBLEMS = 20
#: The end of year 9999: a file may claim to be of any time.
_LATEST_SECONDS = 253_402_300_799
_EPOCH = datetime.fromtimestamp(0, UTC)

#: What every process must have read at its start: where mail may be stored, and which addresses
#: the tenants' journal rules name.
FIXED_FIELDS = ("region", "service_domain")

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at the file found."""

    content: bytes = b""
    modified_at: datetime = _EPOCH
    #: Why it could not be read.
    error: str = ""
    is_regular: bool = True

    def same_content(self, other: "_Look | None") -> bool:
        return other is not None and (self.content, self.error) == (other.content, other.error)


@dataclass(slots=True)
class WatchedFile:
    """A configuration file, and the configuration in force that follows it."""

    path: Path
    current: CurrentConfiguration
    #: What was last decided upon, and what was seen since but not twice.
    _settled: _Look
    _unsettled: _Look | None = field(default=None)

    @classmethod
    def load(cls, path: Path | None) -> "WatchedFile":
        """Put a file's configuration in force.

        Raises:
            ConfigurationError: none is named, it cannot be read, or `InvalidConfiguration`.
        """
        found = _look(path) if path is not None else _Look()
        if path is None or found.error:
            load_configuration(path)  # says what is wrong
            raise ConfigurationError(f"{path}: changes while it is read; start again")
        configuration = parse_configuration(found.content, str(path), path.absolute().parent)
        current = CurrentConfiguration(configuration, _origin(path, found))
        metrics.CONFIG_LAST_RELOAD_SUCCESSFUL.set(1)
        return cls(path, current, found)

    async def watch(self, clock: Clock) -> None:
        """Look every two seconds, until cancelled.

        What is seen must stand still for one more look: an editor may be writing it. A mount that
        is swapped (a ConfigMap's) is followed, since the path is looked up each time.
        """
        self._in_force(clock)
        if not self._settled.is_regular:
            return  # a pipe is read once
        while True:
            await clock.sleep(LOOK_EVERY_SECONDS)
            found = await asyncio.to_thread(_look_again, self.path)
            if found.same_content(self._settled):
                self._unsettled = None
            elif found.same_content(self._unsettled):
                self._settled, self._unsettled = found, None
                await self._decide(found, clock)
            else:
                self._unsettled = found

    async def _decide(self, found: _Look, clock: Clock) -> None:
        try:
            configuration = await asyncio.to_thread(self._accepted, found)
        except ConfigurationError as error:
            metrics.CONFIG_LAST_RELOAD_SUCCESSFUL.set(0)
            in_force = self.current.edition.configuration.version
            problems = str(error).splitlines()[:_MAX_PROBLEMS]
            _log.error("configuration_refused", problems=problems, in_force=in_force)
            return
        former = self.current.edition.configuration
        self._in_force(clock)
        if configuration.version == former.version:
            _log.info("configuration_unchanged", version=configuration.version)
            return  # only comments changed, or the file is again what it was
        self.current.replace(configuration, _origin(self.path, found))
        _log.info("configuration_changed", version=configuration.version, former=former.version)

    def _accepted(self, found: _Look) -> Configuration:
        if found.error:
            raise ConfigurationError(f"{self.path}: cannot be read: {found.error}")
        folder = self.path.absolute().parent
        configuration = parse_configuration(found.content, str(self.path), folder)
        former = self.current.edition.configuration
        fixed = [
            name for name in FIXED_FIELDS if getattr(configuration, name) != getattr(former, name)
        ]
        if fixed:
            raise ConfigurationError(
                "\n".join(f"{self.path}: {name}: cannot change here; start again" for name in fixed)
            )
        return configuration

    @staticmethod
    def _in_force(clock: Clock) -> None:
        metrics.CONFIG_LAST_RELOAD_SUCCESSFUL.set(1)
        metrics.CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS.set(clock.now().timestamp())


def _look_again(path: Path) -> _Look:
    # Without blocking: a pipe that nobody writes would hold the thread, and so the end.
    return _look(path, os.O_NONBLOCK)


def _look(path: Path, flags: int = 0) -> _Look:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
            status = os.fstat(descriptor)
    except OSError as error:
        return _Look(error=error.strerror or type(error).__name__)
    seconds = min(max(0.0, status.st_mtime), _LATEST_SECONDS)
    modified_at = datetime.fromtimestamp(seconds, UTC)
    return _Look(content, modified_at, is_regular=stat.S_ISREG(status.st_mode))


def _origin(path: Path, found: _Look) -> Origin:
    # Who wrote the file is not known here; only that it was the file.
    return Origin(f"file:{path.absolute()}", found.modified_at)
