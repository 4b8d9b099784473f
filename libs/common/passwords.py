"""Passwords of users that we make, from files as a mounted secret has them: one for each user."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from libs.common.errors import ConfigurationError

_MAX_CHARACTERS = 1000


def read_passwords(folder: Path, names: Iterable[str]) -> Mapping[str, str]:
    """Return the password of each name, from the file of that name; one line end is no part of it.

    Raises:
        ConfigurationError: names each file that is missing or holds no password, never what it
            holds.
    """
    passwords: dict[str, str] = {}
    problems: list[str] = []
    for name in names:
        path = folder / name
        try:
            passwords[name] = _password(path)
        except OSError as error:
            problems.append(f"{path}: cannot be read: {error.strerror}; it takes one file per user")
        except ValueError:
            # Beyond ASCII, servers and their clients differ in how they prepare a password.
            problems.append(
                f"{path}: holds no password: write 1 to {_MAX_CHARACTERS} printable ASCII "
                "characters on one line"
            )
    if problems:
        raise ConfigurationError("\n".join(problems))
    return passwords


def _password(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(_MAX_CHARACTERS + 3)
    password = content.decode("ascii").removesuffix("\n").removesuffix("\r")
    if not (0 < len(password) <= _MAX_CHARACTERS and password.isprintable()):
        raise ValueError("no password")
    return password
