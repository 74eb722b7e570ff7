"""What a split's files hold: written from staged rows, hashed, and held against the manifest.

Arrays are written and hashed through plain files, a piece at a time: a full disk is then an error
and not a signal, and memory holds no more than a piece.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from bench.data.duplicates import key
from bench.data.prepared import SplitData
from bench.data.staging import Staged
from bench.spec import Split

PIECE = 1 << 24
"""Bytes that are read at a time, or one row where it is larger."""


def write_split(folder: Path, split: Split, staged: Staged, rows: np.ndarray) -> dict[str, Any]:
    """Write these staged rows as a split's files; returns what the manifest says of it."""
    folder.mkdir()
    cases = [staged.cases[index] for index in staged.case[rows]]
    labels, size = staged.labels[rows], staged.size[rows]
    offsets = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    if staged.image is None:
        _write(folder / "texts.npy", (int(offsets[-1]),), staged.inputs(rows))
        _save(folder / "offsets.npy", offsets)
    else:
        _write(folder / "inputs.npy", (len(rows), *staged.image), staged.inputs(rows))
    if staged.masks:
        _write(folder / "masks.npy", (len(rows), *staged.image[1:]), staged.mask_pixels(rows))  # type: ignore[index]
    _save(folder / "labels.npy", labels)
    table = {
        "ids": [staged.ids[row] for row in rows],
        "cases": [case.id for case in cases],
        "groups": [case.group for case in cases],
        "facts": {name: column[rows].tolist() for name, column in staged.facts.items()},
    }
    if split != "test" and not staged.training[rows].all():
        table["training"] = staged.training[rows].tolist()
    with (folder / "cases.json").open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(table))
    counts = {"pixel_counts": staged.pixels[rows].sum(0).tolist()} if staged.masks else {}
    return {
        "cases": len(rows),
        "volumes": len(set(table["cases"])),
        "groups": len(set(table["groups"])),
        "class_counts": np.bincount(labels, minlength=staged.pixels.shape[1]).tolist(),
        **counts,
        "content": _content(
            table,
            labels,
            shape=staged.image,
            digests=(staged.digests[row] for row in rows),
            masks=(staged.masks[row] for row in rows) if staged.masks else (),
        ),
    }


def content_of(data: SplitData, folder: Path) -> str:
    """A hash of all that a split in `folder` holds, read from its files."""
    table = {
        "ids": data.ids,
        "cases": data.cases,
        "groups": data.groups,
        "facts": {name: column.tolist() for name, column in data.facts.items()},
    }
    if data.training is not None:
        table["training"] = data.training.tolist()
    if data.inputs is None:
        digests: Iterable[bytes] = (key(data.text(row).encode()) for row in range(len(data)))
    else:
        digests = (key(row.data) for row in _rows(folder / "inputs.npy"))
    return _content(
        table,
        data.labels,
        shape=None if data.inputs is None else data.inputs.shape[1:],
        digests=digests,
        masks=() if data.masks is None else (key(row.data) for row in _rows(folder / "masks.npy")),
    )


def differences(data: SplitData, folder: Path, expected: Mapping[str, Any]) -> list[str]:
    """What of an opened split differs from its entry in the manifest; empty if it is whole."""
    found = []
    lengths = {len(column) for column in (data.ids, data.groups, data.cases, data.labels)}
    lengths |= {len(column) for column in data.facts.values()}
    if lengths != {expected["cases"]}:
        found.append(
            f"{len(data):,} labels and {len(data.ids):,} ids instead of {expected['cases']:,}"
        )
    classes = len(expected["class_counts"])
    if data.labels.min(initial=0) < 0 or data.labels.max(initial=0) >= classes:
        found.append(f"labels reach outside 0 to {classes - 1}")
    for name, array in (("inputs", data.inputs), ("masks", data.masks), ("texts", data.texts)):
        if array is not None and array.dtype != np.uint8:
            found.append(f"{name} are {array.dtype} instead of uint8")
        elif array is not None and name != "texts" and len(array) != expected["cases"]:
            found.append(f"{len(array):,} {name} instead of {expected['cases']:,}")
    if data.inputs is None and (data.texts is None or not _fit(data)):
        found.append("texts and offsets do not fit together")
    if not found and _content_or_error(data, folder) != expected["content"]:
        found.append("the content has changed since it was prepared")
    return found


def moments(inputs: Path) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel of images scaled to [0, 1]; empty for texts."""
    if not inputs.exists():
        return [], []
    count = 0
    sums: Any = 0
    squares: Any = 0
    for block in _blocks(inputs):
        count += block[:, 0].size
        sums = sums + block.sum((0, 2, 3), dtype=np.int64)
        # 255 squared fits 16 bits; whole numbers give the same on every machine.
        squares = squares + np.square(block, dtype=np.uint16).sum((0, 2, 3), dtype=np.int64)
    mean = [total / (255 * count) for total in sums.tolist()]
    spread = [
        math.sqrt(count * square - total * total) / (255 * count)
        for total, square in zip(sums.tolist(), squares.tolist(), strict=True)
    ]
    return mean, spread


def _content(
    table: Mapping[str, Any],
    labels: np.ndarray,
    *,
    shape: Sequence[int] | None,
    digests: Iterable[bytes],
    masks: Iterable[bytes],
) -> str:
    state = hashlib.sha256()
    state.update(json.dumps([table, labels.tolist(), shape], sort_keys=True).encode())
    for column in (digests, masks):
        state.update(b"".join(column))
    return state.hexdigest()[:32]


def _content_or_error(data: SplitData, folder: Path) -> str:
    """The content's hash, or what no hash is: texts may have become undecodable."""
    try:
        return content_of(data, folder)
    except UnicodeDecodeError as error:
        return str(error)


def _fit(data: SplitData) -> bool:
    offsets = data.offsets
    return (
        offsets is not None
        and data.texts is not None
        and len(offsets) == len(data) + 1
        and offsets[0] == 0
        and offsets[-1] == len(data.texts)
        and bool((np.diff(offsets) >= 0).all())
    )


def _write(path: Path, shape: tuple[int, ...], pieces: Iterable[bytes]) -> None:
    """A uint8 array of this shape from its bytes in C order."""
    with path.open("wb") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(stream, header)
        stream.writelines(pieces)


def _save(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as stream:
        np.save(stream, array)


def _blocks(path: Path) -> Iterator[np.ndarray]:
    """A uint8 array's rows, some at a time."""
    with path.open("rb") as stream:
        npy.read_magic(stream)
        shape, _, _ = npy.read_array_header_1_0(stream)
        row = int(np.prod(shape[1:]))
        many = max(1, PIECE // row)
        for begin in range(0, shape[0], many):
            count = min(many, shape[0] - begin)
            yield np.fromfile(stream, np.uint8, count * row).reshape(count, *shape[1:])


def _rows(path: Path) -> Iterator[np.ndarray]:
    for block in _blocks(path):
        yield from block
