"""Why a verdict is what it is."""

from dataclasses import dataclass

MAX_QUOTE_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Reason:
    """One piece of evidence: a constant code, and plain words that quote it."""

    code: str
    detail: str


def quote(text: str) -> str:
    """Return a piece of the message for a reason: one line, short, without control characters."""
    line = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(line.split())
    short = line if len(line) <= MAX_QUOTE_CHARACTERS else line[: MAX_QUOTE_CHARACTERS - 1] + "…"
    return f"“{short}”"
