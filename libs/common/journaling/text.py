"""Bytes of mail as text that people read and databases take."""

import binascii
import codecs
import re

#: Encodings that are no charset of mail, and that cost or warn when fed hostile bytes.
_REFUSED = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"})
#: NUL ends up in no database column, and no other control character in a log or a table.
_CONTROLS = {code: "\ufffd" for code in (*range(32), 127) if code not in (9, 10, 13)}
#: RFC 2047 §2; bounded, so that broken words cost no more than their length.
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]{0,4000})\?=")


def clean(text: str) -> str:
    """Return text without control characters and lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8").translate(_CONTROLS)


def decoded(octets: bytes, charset: str | None = None) -> str:
    """Decode without ever failing: the named charset, else UTF-8, else one byte a character."""
    for name in (charset, "utf-8"):
        codec = _codec(name) if name else None
        if codec is not None:
            try:
                return clean(codec.decode(octets)[0])
            except (UnicodeError, ValueError):
                continue
    return clean(octets.decode("latin-1"))


def header_text(value: bytes) -> str:
    """Return an unfolded header value with its encoded words decoded (RFC 2047)."""
    text = decoded(value).replace("\r", "").replace("\n", "")
    pieces: list[str] = []
    position = 0
    pending = _Words()
    for match in _ENCODED_WORD.finditer(text):
        between = text[position : match.start()]
        if between.strip() or not pending:
            pieces += [pending.flush(), between]
        pieces.append(pending.add(match.group(1), match.group(2), match.group(3)))
        position = match.end()
    pieces += [pending.flush(), text[position:]]
    return clean("".join(pieces)).strip()


class _Words:
    """Adjacent encoded words of one charset: a character may be split between two of them."""

    def __init__(self) -> None:
        self._charset = ""
        self._octets = b""

    def __bool__(self) -> bool:
        return bool(self._charset)

    def add(self, charset: str, encoding: str, text: str) -> str:
        """Take one word; return what came before it, if the charset changes."""
        charset = charset.partition("*")[0].lower()  # RFC 2231 §5: a language may follow
        before = self.flush() if charset != self._charset else ""
        self._charset = charset
        self._octets += _word_octets(encoding, text)
        return before

    def flush(self) -> str:
        """Return the words so far as text, and forget them."""
        text = decoded(self._octets, self._charset) if self._charset else ""
        self._charset, self._octets = "", b""
        return text


def _word_octets(encoding: str, text: str) -> bytes:
    octets = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(octets, header=True)
    return base64_decoded(octets)


def base64_decoded(octets: bytes) -> bytes:
    """Decode base64 as far as it goes: strays are skipped, a cut-off tail is dropped."""
    try:
        return binascii.a2b_base64(octets)
    except binascii.Error:
        significant = re.sub(rb"[^A-Za-z0-9+/]", b"", octets.partition(b"=")[0])
        whole = significant[: len(significant) // 4 * 4]
        return binascii.a2b_base64(whole)


def _codec(name: str) -> codecs.CodecInfo | None:
    if name.lower().replace("-", "_") in _REFUSED or not name.isascii() or len(name) > 60:
        return None
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    is_text = getattr(codec, "_is_text_encoding", True)
    return codec if is_text and codec.name not in _REFUSED else None
