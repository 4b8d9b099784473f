"""`python -m services.ingest`: take mail in until stopped."""

import sys
from pathlib import Path

from libs.common import logs
from libs.common.runtime import run as run_process
from libs.common.settings import read_settings
from services.ingest.app import run
from services.ingest.settings import Settings


def main(config: Path | None = None) -> int:
    """Run the service, and return the exit code. `config` goes before `UNDELIVER_CONFIG`."""
    return run_process(lambda: _serve(config))


async def _serve(config: Path | None) -> None:
    settings = read_settings(Settings)
    logs.configure(settings.log_level)
    await run(settings.model_copy(update={"config": config or settings.config}))


if __name__ == "__main__":
    sys.exit(main())
