"""The published schemas: `python -m libs.common.contracts.schemas --write|--check`.

One JSON Schema for each message type, one for the configuration file, and the AsyncAPI document
that holds them all together, in docs/api/. A reviewer sees a change of our public API as a change
of these files.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from libs.common.contracts import CONTRACTS, asyncapi
from libs.common.tenants.model import Configuration

FOLDER = Path("docs/api")
CONFIGURATION_SCHEMA = "config.schema.json"
ASYNCAPI = "asyncapi.json"


def schemas() -> Mapping[str, str]:
    """Return every published file: its name and its text."""
    documents = {f"{type_}.json": contract.json_schema() for type_, contract in CONTRACTS.items()}
    documents[CONFIGURATION_SCHEMA] = Configuration.json_schema()
    documents[ASYNCAPI] = asyncapi.document()
    return {
        name: json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        for name, document in documents.items()
    }


def differences(folder: Path) -> list[str]:
    """Return the names of files that are missing, outdated or of no contract."""
    wanted = schemas()
    present = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    names = sorted(wanted.keys() | present.keys())
    return [name for name in names if wanted.get(name) != present.get(name)]


def write(folder: Path) -> list[str]:
    """Bring the folder up to date; return the names of the files that changed."""
    changed = differences(folder)
    wanted = schemas()
    folder.mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return changed


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; `--check` fails where `--write` would change something."""
    parser = argparse.ArgumentParser(description="The schemas in docs/api/, from the contracts.")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true", help="bring them up to date")
    mode.add_argument("--check", action="store_true", help="fail if they are not")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args(argv)
    if arguments.write:
        for name in write(arguments.folder):
            sys.stdout.write(f"{arguments.folder / name}\n")
        return 0
    outdated = differences(arguments.folder)
    for name in outdated:
        sys.stderr.write(f"{arguments.folder / name}: outdated; run `make schemas`\n")
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main())
