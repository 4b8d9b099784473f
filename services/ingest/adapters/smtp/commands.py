"""The arguments of MAIL and RCPT (RFC 5321 §4.1.1.2, §4.1.1.3), read more kindly than by the book.

Exchange Online sends parameters that nobody offered, `AUTH=<>` for one; what is not known here is
ignored, as refusing it would refuse the report.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_ARGUMENT = re.compile(
    r"(?P<keyword>FROM|TO):[ \t]*"
    r'(?:<(?P<path>(?:"(?:[^"\\]|\\.)*"|[^<>"])*)>|(?P<bare>[^\s<>]+))'
    r"(?P<parameters>(?:[ \t].*)?)",
    re.IGNORECASE | re.DOTALL,
)
#: A source route in front of the address, which is to be ignored (RFC 5321 §4.1.1.3).
_ROUTE = re.compile(r"@[^:\s]*:")


@dataclass(frozen=True, slots=True)
class PathArgument:
    """A path with its parameters."""

    #: Without brackets; the null reverse-path is "".
    address: str
    #: Names in upper case; a parameter without a value has "".
    parameters: Mapping[str, str]

    @property
    def size_bytes(self) -> int | None:
        """The size that the client declares (RFC 1870), if it is a number."""
        size = self.parameters.get("SIZE", "")
        return int(size) if size.isascii() and size.isdigit() and len(size) < 20 else None


def read_path(keyword: str, argument: str | None) -> PathArgument | None:
    """Return the path after `FROM:` or `TO:`, or None where there is none."""
    match = _ARGUMENT.fullmatch((argument or "").strip())
    if not match or match["keyword"].upper() != keyword:
        return None
    address = match["bare"] if match["path"] is None else match["path"].strip()
    pairs = (parameter.partition("=") for parameter in match["parameters"].split())
    return PathArgument(
        address=_ROUTE.sub("", address, count=1) if address.startswith("@") else address,
        parameters={name.upper(): value for name, _, value in pairs},
    )
