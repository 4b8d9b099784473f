"""What is wrong with a configuration file, so that its author can put it right at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import ValidationError

from libs.common.errors import ConfigurationError
from libs.common.tenants import model
from libs.common.tenants.yaml_tree import Path
from libs.common.visible import visible


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. Quotes no secret: a value is repeated only where it is public."""

    line: int
    #: As people say it: `tenants[0].journal.token`; empty for the whole file.
    field: str
    problem: str
    remedy: str


class InvalidConfiguration(ConfigurationError):  # noqa: N818 - says what it is about
    """All that is wrong with one file, a line each."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(problems, key=lambda each: each.line))
        super().__init__("\n".join(self._line(each) for each in self.problems))

    def _line(self, problem: Problem) -> str:
        where = f"{self.file}:{problem.line}: " + (f"{problem.field}: " if problem.field else "")
        return f"{where}{problem.problem}; {problem.remedy}"


def field_name(path: Path) -> str:
    """Return a path as people say it."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return visible(text)


def of_validation(error: ValidationError) -> Iterator[tuple[Path, str, str]]:
    """Return what the model says against the values: path, problem, remedy."""
    errors = error.errors(include_input=False, include_url=False)
    for each in errors:
        path: Path = each["loc"]
        if each["type"] == "too_short" and any(
            other["loc"][: len(path)] == path for other in errors if other is not each
        ):
            continue  # not empty: its elements are wrong, and said to be
        problem, remedy = _words(each["type"], each["msg"], each.get("ctx", {}), path)
        yield path, problem, remedy


def _words(kind: str, message: str, context: Mapping[str, Any], path: Path) -> tuple[str, str]:
    if kind == "extra_forbidden":
        return "is not a known field", _nearest(path)
    if kind == "string_pattern_mismatch":
        return _PATTERNS[context["pattern"]]
    if kind == "literal_error":
        return "is not a known value", f"choose {context['expected']}"
    if kind == "value_error":
        problem, _, remedy = str(context["error"]).partition("; ")
        return problem, remedy or "correct it"
    return _KINDS.get(kind, (_plain(message), "correct the value"))


def _plain(message: str) -> str:
    """Turn pydantic's sentence about `Input` into one about the field."""
    for given, ours in (("Input should be ", "must be "), ("String should ", "must ")):
        if message.startswith(given):
            return ours + message.removeprefix(given)
    return message[:1].lower() + message[1:]


def _nearest(path: Path) -> str:
    known = _known_fields(path[:-1])
    near = get_close_matches(str(path[-1]), known, n=1)
    return f"did you mean {near[0]}?" if near else "known here: " + ", ".join(known)


def _known_fields(path: Path) -> list[str]:
    section: type[model.Section] = model.Configuration
    for step in path:
        if isinstance(step, str):
            annotation = section.model_fields[step].annotation
            section = next(
                each
                for each in (annotation, *get_args(annotation))
                if isinstance(each, type) and issubclass(each, model.Section)
            )
    return list(section.model_fields)


_PATTERNS = {
    model.ADDRESS_PATTERN: ("is not an e-mail address", "write name@domain"),
    model.DOMAIN_PATTERN: (
        "is not a domain",
        "write it in lower case, without @, as example.com (others as xn--…)",
    ),
    model.SENDER_PATTERN: (
        "is neither an e-mail address nor a domain",
        "write name@example.com or example.com, the domain in lower case",
    ),
    model.NAME_PATTERN: (
        "is not a name",
        "use 1 to 63 of a-z, 0-9 and -, and begin with a letter or digit",
    ),
    model.TOKEN_PATTERN: (
        "is not a token: 26 to 64 of a-z and 2-7",
        "make one: head -c 20 /dev/urandom | base32 | tr A-Z a-z",
    ),
    model.SECRET_PATTERN: (
        "is not a reference to a secret",
        "write env:NAME or file:PATH (and replace a secret that stood here: it has leaked)",
    ),
    model.MICROSOFT_ID_PATTERN: (
        "is not an id of Microsoft's",
        "write the GUID that the Entra admin center shows",
    ),
}

_TEXT = ("is not text", "put it in quotes")
_LIST = ("is not a list", "write one `- value` line for each")
_SECTION = ("is not a section", "write `field: value` lines, indented below it")
_NUMBER = ("is not a whole number", "write digits only")

_KINDS = {
    "missing": ("is missing", "add it"),
    "string_type": _TEXT,
    "tuple_type": _LIST,
    "model_type": _SECTION,
    "model_attributes_type": _SECTION,
    "int_type": _NUMBER,
    "int_parsing": _NUMBER,
    "int_from_float": _NUMBER,
    "bool_type": ("is not a yes or no", "write true or false"),
    "bool_parsing": ("is not a yes or no", "write true or false"),
    "too_short": ("is empty", "add at least one"),
}
