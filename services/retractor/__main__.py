"""`python -m services.retractor`: retract mail on command until stopped."""

import sys
from pathlib import Path

from libs.common.hosting.host import run_service
from services.retractor.app import run
from services.retractor.settings import Settings


def main(config: Path | None = None) -> int:
    """Run the service, and return the exit code. `config` goes before `UNDELIVER_CONFIG`."""
    return run_service(Settings, run, config)


if __name__ == "__main__":
    sys.exit(main())
