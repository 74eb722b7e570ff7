"""The folder of predictions: `predictions.csv` or a mask a case, and `about.json` beside them."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.predict.rows import Mask, Row
from bench.spec import Unlabelled

TABLE, ABOUT = "predictions.csv", "about.json"
NOTICE = (
    "Research output. It was made by a model of a benchmark, is no diagnosis and no medical "
    "product, and nobody has checked it on these files."
)
PHANTOM_NOTICE = (
    "The model was trained on PHANTOM (generated) data: what it says of real files means nothing."
)
CHUNK = 1 << 20


def opened(folder: Path, *, force: bool) -> None:
    """Make the folder ready to be written to.

    force: earlier predictions in it are removed; nothing else ever is. Raises UserError where it
    holds something.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}): name another --out") from (
            error
        )
    if not there:
        return
    if ABOUT not in there:
        raise UserError(
            f"--out takes a new or empty folder, {folder} holds {there[0]}: name another"
        )
    if not force:
        raise UserError(
            f"{folder} holds predictions already: name another --out, or write over them with "
            "--force"
        )
    earlier = _read(folder / ABOUT).get("outputs", [])
    for name in [one for one in earlier if one in there] + [ABOUT]:
        (folder / name).unlink()


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_about(folder: Path, about: Mapping[str, Any]) -> None:
    """Write `about.json`, whole or not at all."""
    partial = folder / f".{ABOUT}.partial"
    partial.write_text(json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8")
    partial.replace(folder / ABOUT)


def write_table(folder: Path, rows: Iterable[Row], *, classes: Sequence[str], phantom: bool) -> int:
    """Write a line a row as it comes; returns how many.

    Columns: `data` (what the model was trained on, `phantom` or `real`), `file`, `id`, `slice` of
    volumes, `class`, and each class's probability under its name. No cell starts a formula.
    """
    partial, count = folder / f".{TABLE}.partial", 0
    names = [_plain(name) for name in classes]
    with partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        for row in rows:
            facts = row.sample.facts
            number = {"slice": int(facts["slice"])} if "slice" in facts else {}
            if not count:
                writer.writerow(["data", "file", "id", *number, "class", *names])
            writer.writerow(
                [
                    "phantom" if phantom else "real",
                    _plain(str(row.file)),
                    _plain(row.sample.id),
                    *number.values(),
                    names[int(row.probabilities.argmax())],
                    *(f"{value:.6g}" for value in row.probabilities.tolist()),
                ]
            )
            count += 1
    if count:
        partial.replace(folder / TABLE)
    else:
        partial.unlink()
    return count


def _plain(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def write_mask(folder: Path, mask: Mask, reader: Unlabelled, *, phantom: bool) -> str:
    """Write one case's mask, whole or not at all; returns its file's name."""
    assert reader.write is not None and reader.mask_name is not None
    name = reader.mask_name(mask.case)
    partial = folder / f".partial-{name}"
    remark = "tunebench prediction, research output" + ", PHANTOM-trained" * phantom
    reader.write(mask.case, mask.masks, partial, remark)
    partial.replace(folder / name)
    return name


def sha256(path: Path) -> str:
    """Of a file's content. Raises OSError."""
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(CHUNK):
            found.update(piece)
    return found.hexdigest()
