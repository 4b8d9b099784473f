"""`python -m services.retractor`: retract mail on command until stopped."""

import sys

from libs.common import logs
from libs.common.runtime import run as run_process
from libs.common.settings import read_settings
from services.retractor.app import run
from services.retractor.settings import Settings


def main() -> int:
    """Run the service, and return the exit code."""
    return run_process(_serve)


async def _serve() -> None:
    settings = read_settings(Settings)
    logs.configure(settings.log_level)
    await run(settings)


if __name__ == "__main__":
    sys.exit(main())
