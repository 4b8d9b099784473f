"""Sockets beyond this machine are shut: a test that needs the network would fail elsewhere."""

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

#: Where the address stands among the arguments: `sendto` has flags before it, or not.
_GUARDED = ("connect", "connect_ex", "sendto")


class BeyondLoopbackError(RuntimeError):
    """A test tried to leave this machine. No OSError: nothing may take it for a bad network."""


@contextmanager
def only_loopback(*also: str) -> Iterator[None]:
    """Let sockets and name look-ups of this process reach loopback and the hosts of `also`."""
    allowed = {"", "localhost", *also}
    methods = {name: getattr(socket.socket, name) for name in _GUARDED}
    getaddrinfo = socket.getaddrinfo
    for name, method in methods.items():
        setattr(socket.socket, name, _guarded(method, allowed))
    setattr(socket, "getaddrinfo", _guarded_lookup(getaddrinfo, allowed))  # noqa: B010
    try:
        yield
    finally:
        setattr(socket, "getaddrinfo", getaddrinfo)  # noqa: B010
        for name, method in methods.items():
            setattr(socket.socket, name, method)


def _guarded(method: Callable[..., Any], allowed: set[str]) -> Callable[..., Any]:
    def guarded(self: socket.socket, *arguments: Any) -> Any:
        address = arguments[-1]
        if self.family in {socket.AF_INET, socket.AF_INET6} and isinstance(address, tuple):
            _check(str(address[0]), allowed)
        return method(self, *arguments)

    return guarded


def _guarded_lookup(lookup: Callable[..., Any], allowed: set[str]) -> Callable[..., Any]:
    def guarded(host: str | bytes | None, *arguments: Any, **named: Any) -> Any:
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host or ""
        if _address(name) is not None:
            return lookup(host, *arguments, **named)
        _check(name, allowed)
        found = lookup(host, *arguments, **named)
        allowed.update(str(row[4][0]) for row in found)
        return found

    return guarded


def _check(host: str, allowed: set[str]) -> None:
    address = _address(host)
    address = getattr(address, "ipv4_mapped", None) or address
    own = address is not None and (address.is_loopback or address.is_unspecified)
    if not own and host not in allowed:
        raise BeyondLoopbackError(f"a test reaches for {host}")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
