"""MHIST: patches of colorectal polyps, stained with haematoxylin and eosin, with seven votes each.

Source: Wei et al. 2021, A Petri Dish for Histopathology Image Analysis.
"""

from __future__ import annotations

import io
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.errors import BadData
from bench.spec import Case, Dataset, Split
from suite.csv_rows import Row, rows

if TYPE_CHECKING:
    import numpy as np

TABLE = "annotations.csv"
NAME, LABEL, VOTES, PARTITION = COLUMNS = (
    "Image Name",
    "Majority Vote Label",
    "Number of Annotators who Selected SSA (Out of 7)",
    "Partition",
)
LABELS = ("HP", "SSA")
"""Hyperplastic polyp, and sessile serrated adenoma, the precancerous one."""
ANNOTATORS = 7
PARTITIONS: dict[str, Split] = {"train": "train", "test": "test"}
SIDE = 224
LAYOUT = (
    f"{TABLE} with the columns {', '.join(COLUMNS)}, and the {SIDE}x{SIDE} RGB PNGs that it "
    "names, beside it or in folders images*"
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RGB = 2
COLOURS = {0: "grey", RGB: "RGB", 3: "palette colour", 4: "grey with alpha", 6: "RGB with alpha"}
"""The colour types of a PNG's header (W3C PNG specification, section 11.2.1)."""


class Patch(NamedTuple):
    """One image with what the annotators said of it."""

    image: np.ndarray
    """uint8 (rows, columns, 3), RGB."""
    label: int
    """The majority's: an index into LABELS."""
    votes: int
    """How many of the seven chose SSA."""


class _Entry(NamedTuple):
    path: Path
    label: int
    votes: int


def files(folder: Path) -> list[Path]:
    """The table and all PNGs beside it or below folders `images*`, as far as they are there."""
    table = folder / TABLE
    return [table] * table.is_file() + _images(folder)


def problems(folder: Path) -> list[str]:
    """Every mistake of the table, and every image that it lacks or does not name."""
    return [found for found in _found(folder) if isinstance(found, str)]


def cases(folder: Path) -> list[Case]:
    """One case a sound row whose image is there, in the table's order; the image's name is its id.

    Each is a group of its own: no patients are published. Its stratum is the number of votes.
    """
    return [found for found in _found(folder) if isinstance(found, Case)]


def read(case: Case) -> Patch:
    """The case's image. Raises BadData for all but a whole 8-bit RGB PNG of the published size."""
    assert isinstance(case.source, _Entry)
    path, label, votes = case.source
    return Patch(pixels(path), label, votes)


def _images(folder: Path) -> list[Path]:
    below = [path for place in folder.glob("images*") for path in place.rglob("*")]
    return sorted(
        path
        for path in [*folder.glob("*"), *below]
        if path.suffix.lower() == ".png" and not path.name.startswith(".") and path.is_file()
    )


def _found(folder: Path) -> Iterator[Case | str]:
    """The table's cases, and a line for each problem."""
    table = folder / TABLE
    if not table.is_file():
        yield f"{table} is missing: expected {LAYOUT}"
        return
    images: dict[str, list[Path]] = defaultdict(list)
    for path in _images(folder):
        images[path.name].append(path)
    if not images:
        packed = " (images.zip must be unpacked)" if (folder / "images.zip").is_file() else ""
        yield f"{folder} holds no PNG{packed}: expected {LAYOUT}"
        return
    try:
        lines = rows(table)
        reader = _Reader(table, next(lines), images)
        for row in lines:
            yield from reader.read(row)
    except BadData as error:
        yield from error.problems
        return
    if not reader.named:
        yield f"{table}: has no row below its header"
        return
    for name, paths in images.items():
        if len(paths) > 1:
            yield f"{' and '.join(map(str, paths))} are two images of one name"
        elif name not in reader.named:
            yield f"{paths[0]}: no row of {TABLE} names it"


class _Reader:
    """Makes a table's rows cases, or says what is wrong with them."""

    def __init__(self, table: Path, header: Row, images: Mapping[str, list[Path]]) -> None:
        """images: their paths by file name. Raises BadData where a column is missing."""
        if header.mistake:
            raise BadData(f"{table}: {header.where} {header.mistake}")
        self.table, self.images = table, images
        self.header = [cell.strip() for cell in header.cells]
        if missing := [column for column in COLUMNS if column not in self.header]:
            raise BadData(
                f"{table}: {header.where} names no column {', '.join(map(repr, missing))}, only "
                f"{', '.join(map(repr, self.header))}"
            )
        self.named: dict[str, str] = {}
        """The row that names an image first."""

    def read(self, row: Row) -> Iterator[Case | str]:
        """The row's case, or all that is wrong with it."""
        mistakes = [row.mistake] if row.mistake else []
        if not mistakes and len(row.cells) != len(self.header):
            mistakes = [f"has {len(row.cells)} columns, the header {len(self.header)}"]
        if not mistakes:
            cells = dict(zip(self.header, map(str.strip, row.cells), strict=True))
            name, label, votes, partition = (cells[column] for column in COLUMNS)
            mistakes = [*self._name_mistakes(name), *_cell_mistakes(label, votes, partition)]
            self.named.setdefault(name, row.where)
        yield from (f"{self.table}: {row.where} {mistake}" for mistake in mistakes)
        if not mistakes and len(self.images[name]) == 1:
            yield Case(
                id=name,
                group=name,
                partition=PARTITIONS[partition],
                stratum=votes,
                source=_Entry(self.images[name][0], LABELS.index(label), int(votes)),
            )

    def _name_mistakes(self, name: str) -> Iterator[str]:
        if name in self.named:
            yield f"names {name!r}, which {self.named[name]} has named"
        elif name not in self.images:
            yield f"names {name!r}, which is no PNG beside {TABLE} or in images*"


def _cell_mistakes(label: str, votes: str, partition: str) -> Iterator[str]:
    if label not in LABELS:
        yield f"has label {label!r}, labels are {' and '.join(LABELS)}"
    if votes not in map(str, range(ANNOTATORS + 1)):
        yield f"has {votes!r} votes for SSA, there are 0 to {ANNOTATORS}"
    elif label in LABELS and (label == "SSA") != (int(votes) > ANNOTATORS / 2):
        yield f"has label {label} against the majority, {votes} of {ANNOTATORS} votes for SSA"
    if partition not in PARTITIONS:
        yield f"has partition {partition!r}, partitions are {' and '.join(PARTITIONS)}"


def pixels(path: Path) -> np.ndarray:
    """uint8 (rows, columns, 3). Raises BadData for all but a whole 8-bit RGB PNG of `SIDE`."""
    import numpy as np
    from PIL import Image

    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadData(f"{path}: cannot be read ({error.strerror})") from None
    mistakes = list(_header_mistakes(data))
    if data.startswith(SIGNATURE):
        try:
            with Image.open(io.BytesIO(data)) as image:
                if "transparency" in image.info:
                    mistakes.append("has a transparent colour, expected RGB without alpha")
                image.verify()  # All check sums; decoding alone looks at some.
            if not mistakes:
                with Image.open(io.BytesIO(data)) as image:
                    return np.asarray(image)
        except Image.DecompressionBombError:
            pass  # Its size is among the mistakes.
        except Exception as error:  # Pillow's own, and what its parser of chunks stumbles on.
            mistakes.append(f"is a truncated or corrupt PNG ({_reason(error)})")
    raise BadData(*(f"{path}: {mistake}" for mistake in mistakes))


def _reason(error: Exception) -> str:
    """Pillow's words where they say something of the file."""
    words = " ".join(str(error).split())
    told = isinstance(error, OSError | SyntaxError) and words and "BytesIO" not in words
    return words if told else "its chunks cannot be read"


def _header_mistakes(data: bytes) -> Iterator[str]:
    """What the header of a PNG says against 8-bit RGB of the published size."""
    if not data:
        yield "is empty"
    elif not data.startswith(SIGNATURE):
        yield "is no PNG, whatever its name says"
    elif len(data) >= 26 and data[12:16] == b"IHDR":
        width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
        if (width, height) != (SIDE, SIDE):
            yield f"is {width}x{height} pixels, expected {SIDE}x{SIDE}"
        if depth != 8:
            yield f"has {depth} bits a channel, expected 8"
        if colour != RGB:
            yield f"is {COLOURS.get(colour, f'colour type {colour}')}, expected RGB without alpha"


def groups(folder: Path) -> bool:
    """Patients are not published: which patches are one patient's is unknown."""
    return False


DATASET = Dataset(
    title="MHIST, colorectal polyps",
    layout=LAYOUT,
    groups=groups,
    files=files,
    problems=problems,
    cases=cases,
    read=read,
)
