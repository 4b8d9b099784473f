"""What a name looks like to a hurried reader, after Unicode TR 39 and common type tricks."""

import unicodedata

#: Cyrillic, Greek and other letters that look Latin; the frequent part of TR 39's table.
_LOOKS_LIKE = str.maketrans(
    {
        "а": "a", "в": "b", "с": "c", "ԁ": "d", "е": "e", "ё": "e", "һ": "h", "і": "i", "ї": "i",
        "ј": "j", "к": "k", "ӏ": "l", "м": "m", "н": "h", "о": "o", "р": "p", "ԛ": "q", "г": "r",
        "ѕ": "s", "т": "t", "у": "y", "ү": "y", "ѵ": "v", "ԝ": "w", "х": "x", "ʏ": "y",
        "α": "a", "β": "b", "ε": "e", "η": "n", "ι": "i", "κ": "k", "ν": "v", "ο": "o", "ρ": "p",
        "σ": "o", "τ": "t", "υ": "u", "χ": "x", "ω": "w", "γ": "y", "ϲ": "c", "ϳ": "j",
        "ı": "i", "ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ß": "b", "ɑ": "a", "ɡ": "g", "ɩ": "i",
        "ʟ": "l", "ո": "n", "ս": "u", "օ": "o", "հ": "h", "ց": "g", "զ": "q", "ⅼ": "l", "ⅰ": "i",
    }
)  # fmt: skip
#: Combining accents, and characters without width.
_DROPPED = dict.fromkeys(
    (*range(0x300, 0x370), 0xAD, 0x180E, *range(0x200B, 0x2010), *range(0x2060, 0x2065), 0xFEFF)
) | {0x2019: "'", 0x2018: "'", 0xA0: " "}
_DIGITS = str.maketrans({"0": "o", "1": "l", "3": "e", "5": "s", "|": "l", "$": "s"})
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("nn", "m"))
MIN_LENGTH_FOR_DISTANCE = 5


def folded(name: str) -> str:
    """Return a name without case, accents, look-alike letters and invisible characters."""
    plain = unicodedata.normalize("NFKD", name.casefold()).translate(_LOOKS_LIKE)
    return "".join(c for c in plain if unicodedata.category(c) not in ("Mn", "Cf", "Cc"))


def fold_text(text: str) -> str:
    """Return a longer text without case, accents and look-alike letters; quick for ASCII."""
    if text.isascii():
        return text.casefold()
    plain = unicodedata.normalize("NFKD", text.casefold()).translate(_LOOKS_LIKE)
    return plain.translate(_DROPPED)


def skeleton(name: str) -> str:
    """Return what the name is read as at a glance: digits as letters, `rn` as `m` and so on."""
    shape = folded(name).translate(_DIGITS)
    for pair, letter in _PAIRS:
        shape = shape.replace(pair, letter)
    # Small l, capital i and the digit one are one stroke in most typefaces.
    return shape.replace("i", "l")


def is_confusable(name: str, original: str) -> bool:
    """Say whether a name, other than the original, is easily read as it."""
    if name == original:
        return False
    if skeleton(name) == skeleton(original):
        return True
    return len(original) >= MIN_LENGTH_FOR_DISTANCE and _is_one_edit(folded(name), folded(original))


def _is_one_edit(one: str, other: str) -> bool:
    """Say whether one insertion, deletion, change or swap of neighbours makes them equal."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    rest, rest_other = one[start:], other[start:]
    if rest[1:] == rest_other[1:] or rest[1:] == rest_other or rest == rest_other[1:]:
        return True
    swapped = rest[1:2] + rest[:1] + rest[2:]
    return len(rest) > 1 and swapped == rest_other


def scripts(word: str) -> frozenset[str]:
    """Return which of the scripts that are mixed for deception the letters of a word are in."""
    found = set()
    for letter in word:
        if letter.isalpha() and not letter.isascii():
            name = unicodedata.name(letter, "").partition(" ")[0]
            if name in ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"):
                found.add(name)
        elif letter.isalpha():
            found.add("LATIN")
    return frozenset(found)
