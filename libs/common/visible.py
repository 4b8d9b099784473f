"""Text that others wrote, made safe to show: it drives no terminal and forges no log line."""

import re

#: C0, DEL and C1 (escape sequences, new lines), line and paragraph separators, the marks that turn
#: the direction of writing (CVE-2021-42574), invisible ones, tags, and halves of surrogate pairs.
#: Not the joiners U+200C and U+200D: Persian and emoji need them.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    r"""Return the text with every character that is not shown as itself written as its escape.

    New lines become `\n`, ESC becomes `\x1b`, a right-to-left override `\u202e`.
    """
    return _UNSAFE.sub(_escape, text)


def bounded(text: str, characters: int) -> str:
    """Return at most `characters` of the text, and how many were left out."""
    if len(text) <= characters:
        return text
    return f"{text[:characters]}…(+{len(text) - characters})"


def escape_json(document: str) -> str:
    r"""Return a JSON document with the same characters as `\u` escapes: safe to show, same value.

    Only for documents on one line: there such characters stand inside strings alone.
    """
    return _UNSAFE.sub(_json_escape, document)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _NAMED:
        return _NAMED[character]
    point = ord(character)
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def _json_escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(
        f"\\u{units[place] << 8 | units[place + 1]:04x}" for place in range(0, len(units), 2)
    )
