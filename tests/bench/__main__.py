"""`python -m tests.bench [SUITE …]`: exit code 1 if a figure is SHORT of its target."""

import argparse
import sys
from collections.abc import Sequence

from tests.bench.report import say
from tests.bench.stand import FULL, TINY, stand
from tests.bench.suites import SUITES

#: `pipeline` measures each service alone, too.
_BY_DEFAULT = ("broker", "pipeline")


def main(argv: Sequence[str] | None = None) -> int:
    """Run suites; those of all by default."""
    parser = argparse.ArgumentParser(description="How fast, compared within one run.")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(SUITES))
    parser.add_argument("--tiny", action="store_true", help="only to see that they work")
    arguments = parser.parse_args(argv)
    names = arguments.suites or _BY_DEFAULT
    if unknown := set(names) - SUITES.keys():
        parser.error(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    figures = []
    with stand() as ready:
        for name in names:
            say(f"{name}:")
            figures += SUITES[name](ready, TINY if arguments.tiny else FULL)
    for figure in figures:
        say(str(figure))
    return int(any(figure.is_short for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
