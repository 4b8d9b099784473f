"""SQL lives in `.sql` files: each statement has a name and a line of why."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

_NAME = re.compile(r"^-- name: (\w+)[ \t]*$", re.MULTILINE)


@cache
def statements(package: str, file: str = "queries.sql") -> Mapping[str, str]:
    """Return the statements of a package's SQL file by name.

    A statement starts at `-- name: claim_batch` and ends at the next name.

    Raises:
        ValueError: a name appears twice, or text stands before the first name.
    """
    text = (files(package) / file).read_text(encoding="utf-8")
    before, *pairs = _NAME.split(text)
    if any(line and not line.startswith("--") for line in before.splitlines()):
        raise ValueError(f"{package}/{file}: SQL before the first `-- name:`")
    named: dict[str, str] = {}
    for name, sql in zip(pairs[::2], pairs[1::2], strict=True):
        if name in named:
            raise ValueError(f"{package}/{file}: `{name}` appears twice")
        named[name] = sql.strip().rstrip(";")
    return MappingProxyType(named)


def quoted(text: str) -> str:
    """Return a text as a literal of standard SQL, for scripts; statements take parameters."""
    return "'" + text.replace("'", "''") + "'"
