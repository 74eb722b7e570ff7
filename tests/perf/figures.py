"""What a speed script measured: two sides, their ratio, and the target that it is held against."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a comparison, all its repeats."""

    label: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A row of the table."""

    what: str
    unit: str
    ours: Side
    theirs: Side
    """What ours is held against; a fixed limit has one value."""
    ratio: float
    bound: Literal["at least", "at most"]
    target: float
    """Of the ratio."""
    note: str = ""

    @property
    def met(self) -> bool:
        return self.ratio >= self.target if self.bound == "at least" else self.ratio <= self.target

    def lines(self) -> str:
        """Both sides with all their repeats, the ratio and the target."""
        shown = [f"{self.what}, {self.unit}:"]
        for side in (self.ours, self.theirs):
            each = ", ".join(f"{value:.5g}" for value in side.values)
            shown.append(f"  {side.label:24} {side.median:10.4g}   ({each})")
        note = f"   {self.note}" if self.note else ""
        shown.append(f"  ratio {self.ratio:.3g}, target {self.bound} {self.target:g}{note}")
        return "\n".join(shown)


def paired(ours: Side, theirs: Side) -> float:
    """The ratio where the sides took turns: the median over the pairs, which the machine's other
    work and its changes of speed met alike."""
    pairs = zip(ours.values, theirs.values, strict=True)
    return statistics.median(one / other for one, other in pairs)


def limit(value: float) -> Side:
    """The other side where ours is held against a limit; the ratio is then at most 1."""
    return Side(label="limit", values=(value,))


def against_limit(
    what: str, unit: str, values: Sequence[float], most: float, *, label: str, note: str = ""
) -> Figure:
    """A figure that is to stay below a limit."""
    ours = Side(label=label, values=tuple(values))
    return Figure(
        what=what, unit=unit, ours=ours, theirs=limit(most), ratio=ours.median / most,
        bound="at most", target=1, note=note,
    )  # fmt: skip


def parser(doc: str | None, *, repeats: int = 3) -> argparse.ArgumentParser:
    """The options that all speed scripts have."""
    made = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    made.add_argument("--repeats", type=int, default=repeats)
    made.add_argument("--short", action="store_true", help="less of it, for the table in minutes")
    made.add_argument("--json", type=Path, help="write the figures to this file")
    return made


def finish(found: Sequence[Figure], path: Path | None) -> None:
    """Print the figures, and write them down where that was asked for."""
    for figure in found:
        print(figure.lines())
    if path is not None:
        path.write_text(json.dumps([asdict(figure) for figure in found]))


def read(path: Path) -> list[Figure]:
    """Figures that `finish` wrote."""

    def side(entry: dict) -> Side:
        return Side(label=entry["label"], values=tuple(entry["values"]))

    return [
        Figure(**{**entry, "ours": side(entry["ours"]), "theirs": side(entry["theirs"])})
        for entry in json.loads(path.read_text())
    ]


def table(found: Sequence[Figure]) -> str:
    """One line a figure."""
    heads = ("what", "ours", "", "against", "", "ratio", "target", "")
    rows = [
        (
            figure.what,
            f"{figure.ours.median:.4g} {figure.unit}",
            figure.ours.label,
            f"{figure.theirs.median:.4g}",
            figure.theirs.label,
            f"{figure.ratio:.3g}",
            f"{figure.bound} {figure.target:g}",
            "" if figure.met else "missed",
        )
        for figure in found
    ]
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    )
