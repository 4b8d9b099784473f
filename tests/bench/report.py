"""What a benchmark says: one line for each figure, and whether it is what it should be."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal


@dataclass(frozen=True)
class Target:
    """What a figure has to hold."""

    sign: Literal["<=", ">="]
    value: float

    def is_met(self, value: float) -> bool:
        return value <= self.value if self.sign == "<=" else value >= self.value


@dataclass(frozen=True)
class Figure:
    """One result."""

    name: str
    value: float
    unit: str
    target: Target | None = None

    @property
    def is_short(self) -> bool:
        return self.target is not None and not self.target.is_met(self.value)

    def __str__(self) -> str:
        line = f"BENCH {self.name} {_short(self.value)} {self.unit} target "
        if self.target is None:
            return line + "none"
        verdict = "SHORT" if self.is_short else "ok"
        return f"{line}{self.target.sign} {_short(self.target.value)} {verdict}"


def middle(name: str, values: Sequence[float], unit: str) -> str:
    """Return the line of what was measured: the median, and how far the rounds lay apart."""
    low, high = _short(min(values)), _short(max(values))
    return f"  {name}: {_short(median(values))} {unit} ({low}–{high} in {len(values)} rounds)"


def say(line: str) -> None:
    """Print a line at once: a benchmark takes a while."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
