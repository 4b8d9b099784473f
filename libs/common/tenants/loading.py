"""From the file to the configuration in force, or to everything that is wrong with it."""

from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from libs.common.errors import ConfigurationError
from libs.common.tenants.checks import contradictions
from libs.common.tenants.model import FOLDER, Configuration
from libs.common.tenants.problems import InvalidConfiguration, Problem, field_name, of_validation
from libs.common.tenants.yaml_tree import MAX_FILE_BYTES, Flaw, UnreadableYaml, read_tree


def load_configuration(path: Path | None) -> Configuration:
    """Return the configuration in a file.

    Raises:
        ConfigurationError: none is named, or it cannot be read.
        InvalidConfiguration: all mistakes at once, each with line, field and remedy.
    """
    if path is None:
        raise ConfigurationError(
            "no configuration: name one with --config FILE or UNDELIVER_CONFIG; "
            "`undeliver config example > undeliver.yaml` writes one to start from"
        )
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read: {error.strerror}; name another with --config FILE, or write "
            "one: undeliver config example > undeliver.yaml"
        ) from error
    return parse_configuration(content, str(path), path.absolute().parent)


def parse_configuration(content: bytes, name: str, folder: Path) -> Configuration:
    """Return the configuration in these bytes. `name` is for the messages.

    A secret's relative `file:` path is taken from `folder`, and absolute in what is returned.

    Raises:
        InvalidConfiguration: all mistakes at once.
    """
    try:
        tree = read_tree(content)
    except UnreadableYaml as error:
        raise InvalidConfiguration(name, [_problem(error.flaw)]) from None
    findings = list(contradictions(tree))
    configuration = None
    try:
        configuration = Configuration.model_validate(tree.value, context={FOLDER: folder})
    except ValidationError as error:
        findings += of_validation(error)
    problems = [_problem(flaw) for flaw in tree.flaws] + [
        Problem(tree.line_of(path), field_name(path), problem, remedy)
        for path, problem, remedy in findings
    ]
    if configuration is None or problems:
        raise InvalidConfiguration(name, problems)
    return configuration


def example() -> str:
    """Return the commented example file."""
    return (resources.files("libs.common.tenants") / "example.yaml").read_text(encoding="utf-8")


def _problem(flaw: Flaw) -> Problem:
    return Problem(flaw.line, field_name(flaw.path), flaw.problem, flaw.remedy)
