"""Numbers as a reader wants them: the same in the page, the terminal and the sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

NOTHING = "–"
"""What stands where there is no number."""


NAME_BEGIN, NAME_END = "\u2068", "\u2069"
"""Around a name in a sentence: Unicode's isolates, unseen where nothing is made of them."""


def name(label: str) -> str:
    """A label inside a sentence: it may hold commas, and be written from right to left."""
    return NAME_BEGIN + plain(label) + NAME_END


def plain(text: str) -> str:
    """A text without the marks of names."""
    return text.replace(NAME_BEGIN, "").replace(NAME_END, "")


def score(value: Any) -> str:
    """A score or a difference: three decimals, a true minus."""
    number = _real(value)
    return NOTHING if number is None else f"{number:.3f}".replace("-", "\u2212")


def spread(mean: Any, std: Any, median: Any = math.nan) -> str:
    """`0.912 ± 0.010 (0.914)`."""
    if _real(mean) is None:
        return NOTHING
    text = f"{score(mean)} ± {score(std)}"
    return text if _real(median) is None else f"{text} ({score(median)})"


def interval(low: Any, high: Any) -> str:
    """`0.880 to 0.944`."""
    return NOTHING if _real(low) is None else f"{score(low)} to {score(high)}"


def count(value: Any) -> str:
    """A whole number with thin spaces between thousands; from a million on, in millions."""
    number = _real(value)
    if number is None:
        return NOTHING
    if number >= 1e6:
        return f"{number / 1e6:.2f} M"
    return f"{round(number):,}".replace(",", "\u202f")


def duration(seconds: Any) -> str:
    """`45.2 s`, `12 min 05 s`, `3 h 07 min`."""
    number = _real(seconds)
    if number is None:
        return NOTHING
    if number < 99.95:
        return f"{number:.1f} s"
    whole = round(number)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def listed(parts: Sequence[str], *, respectively: bool = False) -> str:
    """`a, b and c`; where each belongs to one of another list, `a; b; c`."""
    joint = "; " if respectively else ", "
    if len(parts) < 2 or respectively:
        return joint.join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def p_value(p: Any) -> str:
    """`0.012`, `< 0.001`."""
    number = _real(p)
    if number is None:
        return NOTHING
    return "< 0.001" if number < 0.001 else f"{number:.3f}"


def _real(value: Any) -> float | None:
    """A finite number, or None for whatever means that there is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
