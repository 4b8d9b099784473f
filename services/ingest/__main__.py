"""`python -m services.ingest`: read settings, run."""

import sys
from functools import partial

from libs.common.runtime import exit_code, run
from libs.common.settings import read_settings
from services.ingest import app
from services.ingest.settings import Settings


def main() -> int:
    """Run the service and return its exit code."""
    try:
        settings = read_settings(Settings)
    except Exception as error:  # noqa: BLE001 - a process's last resort
        return exit_code(error)
    return run(partial(app.run, settings))


if __name__ == "__main__":
    sys.exit(main())
