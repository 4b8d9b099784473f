"""Host names: what was registered, and what a reader takes them for."""

import re
from functools import cache, lru_cache
from ipaddress import ip_address
from urllib.parse import unquote

import idna
from publicsuffixlist import PublicSuffixList

_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]{0,30}):", re.IGNORECASE)
_HOST = re.compile(r"^(?:[a-z0-9_](?:[a-z0-9_-]{0,62})\.)+[a-z][a-z0-9-]{1,62}$")
_INVISIBLE = re.compile(r"[\t\r\n\x00-\x1f\u200b-\u200f\u2060\ufeff\u00ad]")
_NUMBER = re.compile(r"^(?:0x[0-9a-f]+|[0-9]+)$")
MAX_IP_PARTS = 4


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


@lru_cache(maxsize=4096)
def registered(host: str) -> str:
    """Return the part of a host name that somebody registered; the host where there is none.

    Private suffixes count (`someone.web.app` is its own), as in the Public Suffix List.
    """
    name = host.strip(".").lower()
    if not _HOST.match(name):
        return name
    return _suffixes().privatesuffix(name) or name


def is_same_owner(one: str, other: str) -> bool:
    """Say whether two host names belong to one registration."""
    return bool(one) and bool(other) and registered(one) == registered(other)


def is_within(host: str, domain: str) -> bool:
    """Say whether a host is the domain or below it."""
    return host == domain or host.endswith("." + domain)


def scheme(target: str) -> str:
    """Return the scheme of a link as a browser would read it, lower case; "" without one."""
    match = _SCHEME.match(_INVISIBLE.sub("", target).lstrip())
    return match[1].lower() if match else ""


def authority(target: str) -> str:
    """Return what stands between `//` and the path, as browsers read it (WHATWG URL)."""
    cleaned = _INVISIBLE.sub("", target).strip().replace("\\", "/")
    _, slashes, rest = cleaned.partition("//")
    return re.split(r"[/?#]", rest, maxsplit=1)[0] if slashes else ""


def host_of(target: str) -> str:
    """Return the host of an http(s) link in ASCII, lower case; "" for anything else."""
    if scheme(target) not in ("http", "https", "") or "//" not in target.replace("\\", "/"):
        return ""
    name = unquote(authority(target).rpartition("@")[2]).lower()
    if name.startswith("["):
        return name.partition("]")[0].strip("[")
    return to_ascii(name.partition(":")[0].strip("."))


def to_ascii(name: str) -> str:
    """Return the punycode form of a host name; the name where it has none."""
    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return name


def to_unicode(name: str) -> str:
    """Return what a reader sees for a punycode name."""
    if "xn--" not in name:
        return name
    try:
        return idna.decode(name)
    except (idna.IDNAError, UnicodeError):
        return name


def is_ip(host: str) -> bool:
    """Say whether a browser takes the host for an address: dotted, decimal, hex or IPv6."""
    try:
        ip_address(host)
    except ValueError:
        parts = host.split(".")
        return len(parts) <= MAX_IP_PARTS and all(_NUMBER.match(part) for part in parts)
    return True
