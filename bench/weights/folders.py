"""Folders of weights: timm's form, transformers' form, or any with one weights file in it."""

from __future__ import annotations

import fnmatch
import json
import math
from pathlib import Path
from typing import Any

from bench.errors import UserError

USUAL = ("model.safetensors", "pytorch_model.bin")
"""The weights file of a folder in timm's or transformers' form; the first is preferred."""
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".tar")
INDEX = "model.safetensors.index.json"
"""Of a model in transformers' form whose weights are cut into several files."""
TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")
"""Patterns of files of which each alone tells what a model's tokens are."""

Statistics = tuple[tuple[float, ...], tuple[float, ...]]


def weights_file(folder: Path) -> Path | None:
    """The weights file of a folder, None where it holds none. UserError where it holds several."""
    for name in USUAL:
        if (folder / name).is_file():
            return folder / name
    found = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))
    if len(found) > 1:
        names = ", ".join(path.name for path in found[:3])
        raise UserError(
            f"a folder of weights holds one weights file, {folder} holds {len(found)} ({names}"
            f"{', ...' * (len(found) > 3)}): name one of them"
        )
    return found[0] if found else None


def text_problem(folder: Path) -> str | None:
    """What a folder lacks to be a text model in transformers' form; None where it is one."""
    if not folder.is_dir():
        return "where no folder lies"
    names = {path.name for path in folder.iterdir() if path.is_file()}
    if "config.json" not in names:
        return "which holds no config.json"
    if names.isdisjoint([*USUAL, INDEX]):
        return f"which holds no {USUAL[0]} or {USUAL[1]}"
    if not any(fnmatch.filter(names, pattern) for pattern in TOKENIZERS):
        return "which holds no tokenizer"
    if names.isdisjoint(USUAL):
        parts = set(_table(folder / INDEX).get("weight_map", {}).values())
        if absent := sorted(parts - names):
            return f"which lacks {absent[0]}"
    return None


def statistics(folder: Path) -> Statistics:
    """Mean and deviation by channel that the images were normalised by, of intensities in [0, 1];
    empty where the folder's files do not say. Raises UserError for files that cannot be read."""
    config = _table(folder / "config.json")
    known = config.get("pretrained_cfg")
    for table in (known if isinstance(known, dict) else {}, config):  # timm's, new and old
        if "mean" in table and "std" in table:
            return _numbers(table["mean"], table["std"], folder / "config.json")
    path = folder / "preprocessor_config.json"
    processor = _table(path)
    if not math.isclose(processor.get("rescale_factor", 1 / 255), 1 / 255, rel_tol=1e-3):
        return (), ()
    if "image_mean" in processor and "image_std" in processor:
        mean, std = _numbers(processor["image_mean"], processor["image_std"], path)
        if processor.get("do_normalize", True):
            return mean, std
        return (0.0,) * len(mean), (1.0,) * len(std)
    return (), ()


def _table(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} must be a JSON file, {type(error).__name__}: mend or delete it"
        ) from None
    return table if isinstance(table, dict) else {}


def _numbers(mean: object, std: object, path: Path) -> Statistics:
    """Both as numbers, one a channel."""
    try:
        found = tuple(tuple(float(value) for value in values) for values in (mean, std))  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        found = ((), ())
    if not found[0] or len(found[0]) != len(found[1]) or min(found[1]) <= 0:
        raise UserError(
            f"{path}: mean and std are numbers, one a channel, std above 0, got {mean!r} and "
            f"{std!r}: mend the file"
        )
    return found[0], found[1]
