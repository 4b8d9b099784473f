"""docs/settings.md from the settings classes: `python -m tests.docs.settings_page --write|--check`.

What stands between `<!-- NAME -->` and `<!-- end -->` is generated, the rest is prose.
"""

import argparse
import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

import services.audit.settings
import services.classifier.settings
import services.database.settings
import services.embedded.settings
import services.ingest.settings
import services.retractor.settings
from libs.common.instance import CliSettings
from libs.common.settings import ServiceSettings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"

_SERVICES: dict[str, type[BaseSettings]] = {
    "ingest": services.ingest.settings.Settings,
    "classifier": services.classifier.settings.Settings,
    "retractor": services.retractor.settings.Settings,
    "audit": services.audit.settings.Settings,
}
_OTHERS: dict[str, type[BaseSettings]] = {
    "up": services.embedded.settings.Settings,
    "commands": CliSettings,
    "database": services.database.settings.Settings,
}
#: Defaults that depend on the machine.
_MACHINE = {"CLASSIFIER_WORKERS": "one for each CPU"}
_MIB = 1024 * 1024
_SECTION = re.compile(r"(<!-- (?P<name>[a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEAD = "| variable | takes | default | what |\n|---|---|---|---|\n"


def page(template: str) -> str:
    """Return the page with its tables as the code has them."""
    tables = {"services": _table(ServiceSettings, "<SERVICE>_", list(ServiceSettings.model_fields))}
    for name, kind in {**_SERVICES, **_OTHERS}.items():
        own = [each for each in kind.model_fields if _owner(kind, each) is not ServiceSettings]
        prefix = str(kind.model_config.get("env_prefix", ""))
        tables[name] = _table(kind, prefix, own)
    written = {match["name"] for match in _SECTION.finditer(template)}
    if written != tables.keys():
        raise ValueError(f"docs/settings.md has tables {written}, the code {set(tables)}")
    return _SECTION.sub(lambda match: f"{match[1]}{tables[match['name']]}{match[3]}", template)


def undescribed(kind: type[BaseSettings]) -> list[str]:
    """Return the fields that no `#:` comment explains."""
    return [name for name in kind.model_fields if not _comment(kind, name)]


def kinds() -> list[type[BaseSettings]]:
    """Return every settings class on the page."""
    return [*_SERVICES.values(), *_OTHERS.values()]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; `--check` fails where `--write` would change something."""
    parser = argparse.ArgumentParser(description="docs/settings.md, from the settings classes.")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true", help="bring it up to date")
    mode.add_argument("--check", action="store_true", help="fail if it is not")
    present = PAGE.read_text(encoding="utf-8")
    wanted = page(present)
    if parser.parse_args(argv).write:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if wanted != present:
        sys.stderr.write("docs/settings.md: outdated; run `make docs`\n")
    return int(wanted != present)


def _table(kind: type[BaseSettings], prefix: str, names: Sequence[str]) -> str:
    rows = [row for name, row in _rows(kind, prefix) if name in names]
    return _HEAD + "".join(rows) if rows else "None of its own.\n"


def _rows(kind: type[BaseSettings], prefix: str) -> Iterator[tuple[str, str]]:
    for name, field in kind.model_fields.items():
        variable = _variable(prefix, name, field)
        cells = (
            f"`{variable}`",
            _type(field.annotation) + _bounds(field),
            _MACHINE.get(variable) or _default(field),
            _comment(kind, name),
        )
        yield name, "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _variable(prefix: str, name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return "`, `".join(str(each) for each in alias.choices if str(each).isupper())
    return str(alias) if alias else f"{prefix}{name.upper()}"


def _type(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inner[0])
    if origin in (Union, UnionType):
        return " or ".join(_type(each) for each in inner if each is not NoneType)
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in inner)
    if origin is tuple:
        return f"JSON list of {_type(inner[0])}s"
    names = {str: "text", int: "integer", float: "number", bool: "true or false", Path: "path"}
    return "address, secret" if annotation is SecretStr else names[annotation]


def _bounds(field: FieldInfo) -> str:
    limits = {}
    for each in field.metadata:
        for word, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
            if hasattr(each, word):
                limits[sign] = _number(getattr(each, word))
        if getattr(each, "pattern", None):
            limits["matches"] = f"`{each.pattern}`"
    return "".join(f", {sign} {limit}" for sign, limit in limits.items())


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    default = field.default
    if default is None:
        return "–"
    if isinstance(default, tuple):
        return f"`[{', '.join(str(each) for each in default)}]`"
    return _number(default) if isinstance(default, int | float) else f"`{default}`"


def _number(value: float) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value >= _MIB and value % _MIB == 0:
        return f"{value} ({value // _MIB} MiB)"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _owner(kind: type[BaseSettings], name: str) -> type:
    """Return the class that declares a field."""
    return next(each for each in kind.__mro__ if name in inspect.get_annotations(each))


def _comment(kind: type[BaseSettings], name: str) -> str:
    """Return the `#:` lines above a field."""
    source = textwrap.dedent(inspect.getsource(_owner(kind, name)))
    lines = source.splitlines()
    (body,) = ast.parse(source).body
    fields = {
        node.target.id: node.lineno - 1
        for node in getattr(body, "body", ())
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    said: list[str] = []
    above = fields[name] - 1
    while lines[above].lstrip().startswith("#:"):
        said.insert(0, lines[above].lstrip().removeprefix("#:").strip())
        above -= 1
    return " ".join(said)


if __name__ == "__main__":
    sys.exit(main())
