"""`python -m services.ingest`: take mail in until stopped."""

import sys
from pathlib import Path

from libs.common.hosting.host import run_service
from services.ingest.app import run
from services.ingest.settings import Settings


def main(config: Path | None = None) -> int:
    """Run the service, and return the exit code. `config` goes before `UNDELIVER_CONFIG`."""
    return run_service(Settings, run, config)


if __name__ == "__main__":
    sys.exit(main())
