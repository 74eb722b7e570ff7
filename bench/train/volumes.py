"""Which slices of a split make up a whole volume, so that it can be judged in three dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.data.prepared import SplitData

Spacing = tuple[float, float, float]
"""mm between slices, rows and columns."""
AXES = ("spacing_z", "spacing_y", "spacing_x")


@dataclass(frozen=True, kw_only=True, eq=False)
class Volume:
    """A volume whose slices follow one another without a gap."""

    case: str
    rows: np.ndarray
    """int64 (slices,): of the split, from feet to head."""
    spacing: Spacing


def whole_volumes(split: SplitData) -> tuple[list[Volume], list[str]]:
    """A split's whole volumes, and a line for each reason why others are not.

    Whole are two slices or more whose numbers, the fact `slice`, follow one another, with one
    spacing that is finite and above 0: distances in mm mean nothing across a gap.
    """
    if missing := [name for name in ("slice", *AXES) if name not in split.facts]:
        return [], [f"no volume is whole: {', '.join(missing)} not known"]
    numbers = split.facts["slice"]
    spacings = np.stack([split.facts[name] for name in AXES], axis=1)
    found: list[Volume] = []
    gaps = unknown = 0
    rows_of: dict[str, list[int]] = {}
    for row, case in enumerate(split.cases):
        rows_of.setdefault(case, []).append(row)
    for case, listed in rows_of.items():
        rows = np.array(listed, np.int64)[np.argsort(numbers[listed], kind="stable")]
        spacing = spacings[rows]
        if len(rows) < 2 or not (np.diff(numbers[rows]) == 1).all():
            gaps += 1
        elif not (np.isfinite(spacing) & (spacing > 0) & (spacing == spacing[0])).all():
            unknown += 1
        else:
            z, y, x = map(float, spacing[0])
            found.append(Volume(case=case, rows=rows, spacing=(z, y, x)))
    reasons = []
    if gaps:
        reasons.append(f"{gaps} of {len(rows_of)} volumes have slices left out")
    if unknown:
        reasons.append(f"{unknown} of {len(rows_of)} volumes have no known spacing")
    return found, reasons
