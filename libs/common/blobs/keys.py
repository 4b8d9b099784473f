"""Names of blobs: whose they are, from when, and what they hold."""

import hashlib
import re
from datetime import UTC, date, datetime

from libs.common.errors import PermanentError

#: What stands for mail that belongs to no tenant.
NO_TENANT = "-"

_DAY = r"(-|[a-z0-9][a-z0-9-]{0,62})/(\d{4})/(\d{2})/(\d{2})"
_DAY_ONLY = re.compile(_DAY, re.ASCII)
_TO_DAY = re.compile(r"(-|[a-z0-9][a-z0-9-]{0,62})(/\d{4}(/\d{2}(/\d{2})?)?)?", re.ASCII)
_KEY = re.compile(rf"{_DAY}/([0-9a-f]{{64}})", re.ASCII)


def blob_key(tenant: str | None, at: datetime, sha256: str) -> str:
    """Return the key of content with this hash, received at `at` (its day in UTC).

    Raises:
        ValueError: the parts do not make a key; also for an instant without time zone.
    """
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    key = f"{tenant or NO_TENANT}/{at.astimezone(UTC):%Y/%m/%d}/{sha256}"
    sha256_of(key)
    return key


def sha256_of(key: str) -> str:
    """Return the hash that a key promises.

    Raises:
        ValueError: not a key. Nothing else may become a path.
    """
    match = _KEY.fullmatch(key)
    if match is None:
        raise ValueError("not a blob key: expected <tenant or ->/<yyyy>/<mm>/<dd>/<sha256>")
    return match[5]


def is_key(name: str) -> bool:
    """Return whether a name is a key: stores may hold what is none of ours."""
    return _KEY.fullmatch(name) is not None


def day_of(folder: str) -> date:
    """Return the day of a `<tenant or ->/<yyyy>/<mm>/<dd>`.

    Raises:
        ValueError: no such folder, or no such day.
    """
    match = _DAY_ONLY.fullmatch(folder)
    if match is None:
        raise ValueError("not a day of blobs: expected <tenant or ->/<yyyy>/<mm>/<dd>")
    return date(int(match[2]), int(match[3]), int(match[4]))


def is_day(folder: str) -> bool:
    """Return whether a name is that of a day's folder."""
    try:
        day_of(folder)
    except ValueError:
        return False
    return True


def leads_to_day(folder: str) -> bool:
    """Return whether days of ours may lie under a folder: a tenant's, a year's, a month's."""
    return _TO_DAY.fullmatch(folder) is not None


def verify_hash(content: bytes, sha256: str) -> None:
    """Keep content from being stored under a key that promises another.

    Raises:
        ValueError: the content does not have this hash.
    """
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError("the content does not have the hash of its key")


def verified(content: bytes, sha256: str) -> bytes:
    """Return the content if it has this hash: for readers, whose message carries it.

    Raises:
        PermanentError: `blob_corrupt`.
    """
    if hashlib.sha256(content).hexdigest() != sha256:
        raise PermanentError("blob_corrupt", f"expected sha256 {sha256}")
    return content
