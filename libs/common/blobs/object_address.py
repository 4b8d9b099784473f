"""Where an object store is: `s3://bucket/prefix?…`, `az://container/prefix?…`.

Credentials never stand in the address: docs/adr/0008-object-store.md.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast
from urllib.parse import SplitResult, parse_qsl, urlsplit

from libs.common.errors import ConfigurationError

Kind = Literal["s3", "az"]

#: What may stand behind the question mark.
_OPTIONS: dict[Kind, frozenset[str]] = {
    "s3": frozenset({"endpoint", "region", "path_style", "ca_file", "allow_http"}),
    "az": frozenset({"account", "endpoint", "ca_file", "allow_http"}),
}
_CALLED: dict[Kind, str] = {"s3": "bucket", "az": "container"}

#: Both S3's and Azure's names: 3 to 63 characters.
_CONTAINER = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_SEGMENT = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """One container, and what to call and to trust on the way to it."""

    kind: Kind
    container: str
    prefix: str | None = None
    endpoint: str | None = None
    region: str | None = None
    account: str | None = None
    is_path_style: bool = True
    ca_file: Path | None = None
    is_http_allowed: bool = False

    @property
    def called(self) -> str:
        """What the store calls a container."""
        return _CALLED[self.kind]

    def __str__(self) -> str:
        """Return what may be shown: no more than the operator calls it."""
        return "/".join(filter(None, (f"{self.kind}://{self.container}", self.prefix)))


def object_address(url: str) -> ObjectAddress:
    """Read an address.

    Raises:
        ConfigurationError: what is wrong and how it is written; never quotes the URL, which may
            hold a secret by mistake.
    """
    parts = urlsplit(url)
    kind = cast("Kind", parts.scheme)
    if _CONTAINER.fullmatch(parts.netloc) is None:
        raise _wrong(kind, f"needs the name of a {_CALLED[kind]}, and no user or port with it")
    options = _options(kind, parts)
    is_http_allowed = _flag(kind, options, "allow_http", default=False)
    endpoint = _endpoint(kind, options.get("endpoint"), is_http_allowed=is_http_allowed)
    is_path_style = _flag(kind, options, "path_style", default=True)
    if endpoint and not is_path_style:
        endpoint = endpoint.replace("://", f"://{parts.netloc}.", 1)
    return ObjectAddress(
        kind,
        parts.netloc,
        prefix=_prefix(kind, parts.path),
        endpoint=endpoint,
        region=_name(kind, options, "region"),
        account=_name(kind, options, "account"),
        is_path_style=is_path_style,
        ca_file=Path(options["ca_file"]) if "ca_file" in options else None,
        is_http_allowed=is_http_allowed,
    )


def _options(kind: Kind, parts: SplitResult) -> dict[str, str]:
    known = ", ".join(sorted(_OPTIONS[kind]))
    try:
        pairs = parse_qsl(parts.query, strict_parsing=True) if parts.query else []
    except ValueError:
        raise _wrong(kind, f"behind `?` stands name=value&name=value, of {known}") from None
    options = dict(pairs)
    if parts.fragment or len(options) < len(pairs) or not options.keys() <= _OPTIONS[kind]:
        raise _wrong(
            kind,
            f"behind `?` stand only {known}, each once; credentials come from the environment, "
            "never from here",
        )
    return options


def _prefix(kind: Kind, path: str) -> str | None:
    prefix = path.strip("/")
    if prefix and not all(_SEGMENT.fullmatch(segment) for segment in prefix.split("/")):
        raise _wrong(kind, "a prefix has only letters, digits, `.`, `_`, `=`, `-` between slashes")
    return prefix or None


def _endpoint(kind: Kind, given: str | None, *, is_http_allowed: bool) -> str | None:
    if given is None:
        return None
    parts = urlsplit(given)
    is_plain = parts.hostname and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in {"http", "https"} or not is_plain:
        raise _wrong(kind, "`endpoint` is the URL of a server, https://host:port")
    if parts.scheme == "http" and not is_http_allowed:
        raise _wrong(
            kind, "`endpoint` would send mail in the clear; write https, or allow_http=true"
        )
    return given.rstrip("/")


def _flag(kind: Kind, options: dict[str, str], name: str, *, default: bool) -> bool:
    value = options.get(name, str(default).lower())
    if value not in {"true", "false"}:
        raise _wrong(kind, f"`{name}` is true or false")
    return value == "true"


def _name(kind: Kind, options: dict[str, str], name: str) -> str | None:
    value = options.get(name)
    if value is not None and _NAME.fullmatch(value) is None:
        raise _wrong(kind, f"`{name}` is not a name of letters, digits and `-`")
    return value


def _wrong(kind: Kind, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{kind}://…: {what} (write {kind}://{_CALLED[kind]}/prefix?name=value)"
    )
