"""`undeliver up`."""

import argparse
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from libs.common import logs
from libs.common.broker.beside import beside
from libs.common.clock import SystemClock
from libs.common.errors import ConfigurationError, StartError
from libs.common.instance import Instance, announce, default_data_folder, withdraw
from libs.common.runtime import run
from libs.common.settings import read_settings
from libs.common.tenants.watching import WatchedFile
from libs.common.terminal import add_config_argument
from services.embedded.settings import Settings

if TYPE_CHECKING:
    from services.embedded.app import Tunings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    add_config_argument(parser)
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        help=f"where everything is kept (default: {default_data_folder()})",
    )


def main(arguments: argparse.Namespace) -> int:
    """Run all services until told to stop, and return the exit code."""
    settings = read_settings(Settings)
    logs.configure(settings.log_level)
    path: Path | None = arguments.config or settings.config
    if path is None:
        raise ConfigurationError(
            "no configuration: write one with `undeliver config example > undeliver.yaml`, then "
            "name it with --config undeliver.yaml or UNDELIVER_CONFIG"
        )
    file = WatchedFile.load(path)
    data_folder: Path = arguments.data or default_data_folder()
    # Here and not above: all services take seconds to import, and a mistake is told before.
    from services.embedded.app import Tunings

    tunings = Tunings.from_environment()
    return run(partial(_up, data_folder, file, settings, tunings))


async def _up(data_folder: Path, file: WatchedFile, settings: Settings, tunings: "Tunings") -> None:
    from services.embedded.app import embedded

    _make(data_folder)
    clock = SystemClock()
    async with (
        embedded(data_folder, file.current, settings, tunings, clock) as services,
        beside(file.watch(clock)),
    ):
        announce(
            data_folder,
            Instance(
                pid=os.getpid(),
                cli_postgres_dsn=services.foundation.dsn("cli"),
                smtp_port=services.smtp_port,
                http_port=services.http_port,
            ),
        )
        try:
            await services.run()
        finally:
            withdraw(data_folder)


def _make(data_folder: Path) -> None:
    try:
        data_folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(
            f"The data folder {data_folder} cannot be made: {error.strerror}. "
            "Name another one with --data."
        ) from error
