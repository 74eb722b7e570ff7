"""The table: one row a model, holes with their reasons below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.perf.gpu.models import Model

COLUMNS = (
    "model", "input", "batch", "params", "GFLOP", "float32", "bf16", "compiled", "share", "of peak",
    "comp. of peak", "peak GiB", "compiling",
)  # fmt: skip
HOLE = "-"

Rows = Mapping[str, Mapping[str, float]]


def lines(
    models: Sequence[Model], rows: Rows, packed: Mapping[str, float], holes: Sequence[str]
) -> list[str]:
    """rows: by a model's name, what was measured of it; `ceiling_flops` in each where known."""
    cells = [COLUMNS, *(_cells(model, rows.get(model.name, {})) for model in models)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(COLUMNS))]
    found = ["  ".join(_padded(row, widths)).rstrip() for row in cells]
    return [*found, "", *_packed(packed), *(f"hole: {hole}" for hole in holes)]


def _cells(model: Model, row: Mapping[str, float]) -> tuple[str, ...]:
    def shown(name: str, form: str, scale: float = 1.0) -> str:
        return format(row[name] * scale, form) if name in row else HOLE

    def of_peak(name: str) -> str:
        if not {name, "flops_per_sample", "ceiling_flops"} <= row.keys():
            return HOLE
        return f"{row[name] * row['flops_per_sample'] / row['ceiling_flops']:.1%}"

    return (
        model.name,
        model.input,
        shown("batch_size", ".0f"),
        shown("parameters", ".2f", 1e-6) + " M" * ("parameters" in row),
        shown("flops_per_sample", ".2f", 1e-9),
        shown("float32", ",.0f"),
        shown("bfloat16", ",.0f"),
        shown("compiled", ",.0f"),
        shown("share", ".3f"),
        of_peak("bfloat16"),
        of_peak("compiled"),
        shown("peak_gib", ".2f"),
        shown("compile_seconds", ".0f") + " s" * ("compile_seconds" in row),
    )


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Names to the left, numbers to the right."""
    return [
        cell.ljust(width) if column < 2 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _packed(packed: Mapping[str, float]) -> list[str]:
    counts = sorted(int(name.removeprefix("packed_")) for name in packed)
    return [
        f"{count} small trial{'s' * (count > 1)} on one device: "
        f"{packed[f'packed_{count}']:,.0f} samples/s in all, "
        f"{packed[f'packed_{count}'] / packed['packed_1']:.2f} times one"
        for count in counts
    ]
