"""CT volumes as NIfTI files: `volume-N.nii[.gz]` with `segmentation-N.nii[.gz]`, as LiTS has them.

Tolerated: a mask's affine that differs from its volume's, which some of LiTS's do while the voxels
correspond, so that it is not looked at; tilted gantries and oblique axes, up to a limit (see
suite/ct/axes.py); files that scale; any order and direction of the axes; bytes after the voxels.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from bench.errors import BadData
from bench.spec import Case
from suite.ct.axes import Axes, affine_mistake
from suite.ct.tree import Tree
from suite.ct.volume import Unreadable, Volume, as_hu, as_mask

if TYPE_CHECKING:
    import numpy as np

NAME = re.compile(r"(volume|segmentation)-(\d+)\.nii(?:\.gz)?")
HEADER_BYTES = 348
CHUNK = 1 << 16


class Pair(NamedTuple):
    """The two files of a case."""

    volume: Path
    mask: Path


def files(tree: Tree) -> list[Path]:
    """All volumes and segmentations."""
    return [
        folder / name
        for folder in sorted(tree.files)
        for name in tree.files[folder]
        if NAME.fullmatch(name)
    ]


def problems(tree: Tree) -> list[str]:
    """Volumes without a mask, masks without a volume, two files of one number."""
    numbered = _numbered(tree)
    return [problem for number in sorted(numbered) for problem in _unpaired(numbered[number])]


def cases(tree: Tree) -> list[Case]:
    """One case a volume, which is one patient, in the order of their numbers."""
    numbered = _numbered(tree)
    return [
        Case(
            id=f"volume-{number}",
            group=f"volume-{number}",
            source=Pair(numbered[number]["volume"][0], numbered[number]["segmentation"][0]),
        )
        for number in sorted(numbered)
        if all(len(paths) == 1 for paths in numbered[number].values())
    ]


def read(pair: Pair) -> Volume:
    """The volume and its mask, both turned by the volume's affine; each file is inflated once.

    Raises BadData with everything that is wrong with the two files.
    """
    found: list[str] = []
    volume, mask = _file(pair.volume, found), _file(pair.mask, found)
    hu = None if volume is None else _hu(pair.volume, volume, found)
    classes = None
    if mask is not None:
        classes = _checked(pair.mask, mask, as_mask, found)
    if volume is not None and mask is not None and volume.raw.shape != mask.raw.shape:
        found.append(
            f"{pair.mask}: the mask's shape {mask.raw.shape} differs from {pair.volume.name}'s "
            f"{volume.raw.shape}"
        )
    if found:
        raise BadData(*found)
    assert volume is not None and hu is not None and classes is not None
    return _turned(volume.affine, hu, classes)


def read_unlabelled(path: Path) -> Volume:
    """A volume that has no mask: read as `read` does, with background alone, which takes no memory.

    Raises BadData with everything that is wrong with the file.
    """
    import numpy as np

    found: list[str] = []
    volume = _file(path, found)
    hu = None if volume is None else _hu(path, volume, found)
    if found:
        raise BadData(*found)
    assert volume is not None and hu is not None
    return _turned(volume.affine, hu, np.broadcast_to(np.uint8(0), hu.shape))


def memory(pair: Pair) -> int:
    """Bytes of a volume and its mask, by their headers; 0 where these cannot be read."""
    import nibabel
    import numpy as np

    nibabel.imageglobals.logger.setLevel("CRITICAL")  # It is we who say what is wrong.
    total = 0
    for path in (pair.volume, pair.mask):
        try:
            header = nibabel.load(path).header
        except Exception:  # What is wrong with it is said when it is read.
            return 0
        total += int(np.prod(header.get_data_shape())) * header.get_data_dtype().itemsize
    return total


def _numbered(tree: Tree) -> dict[int, dict[str, list[Path]]]:
    pairs: dict[int, dict[str, list[Path]]] = defaultdict(
        lambda: {"volume": [], "segmentation": []}
    )
    for path in files(tree):
        match = NAME.fullmatch(path.name)
        assert match
        pairs[int(match[2])][match[1]].append(path)
    return pairs


def _unpaired(pair: dict[str, list[Path]]) -> Iterator[str]:
    for kind, paths in pair.items():
        if not paths:
            there = next(path for other in pair.values() for path in other)
            number = there.name.partition("-")[2].partition(".")[0]
            yield f"{there}: its partner {kind}-{number}.nii[.gz] is missing"
        if len(paths) > 1:
            yield f"{' and '.join(map(str, paths))} are {len(paths)} {kind}s of one number"


def _turned(affine: np.ndarray, hu: np.ndarray, mask: np.ndarray) -> Volume:
    axes = Axes(affine)
    return Volume(hu=axes.to_patient(hu), mask=axes.to_patient(mask), spacing=axes.spacing())


# --- Files ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _File:
    raw: np.ndarray
    """As stored, in the file's own axes."""
    slope: float | None
    inter: float | None
    affine: np.ndarray

    def values(self) -> np.ndarray:
        """What the file means: itself where it scales nothing, else float32."""
        import numpy as np

        if self.slope in (None, 1) and self.inter in (None, 0):
            return self.raw
        scaled = self.raw.astype(np.float32)
        scaled *= np.float32(1 if self.slope is None else self.slope)
        scaled += np.float32(self.inter or 0)
        return scaled


def _file(path: Path, found: list[str]) -> _File | None:
    try:
        return _load(path)
    except Unreadable as error:
        found.append(f"{path}: {error}")
        return None


def _hu(path: Path, file: _File, found: list[str]) -> np.ndarray | None:
    if mistake := affine_mistake(file.affine):
        found.append(f"{path}: its affine {mistake}")
    return _checked(path, file, as_hu, found)


def _checked(
    path: Path, file: _File, check: Callable[[np.ndarray], np.ndarray], found: list[str]
) -> np.ndarray | None:
    try:
        return check(file.values())
    except Unreadable as error:
        found.append(f"{path}: {error}")
        return None


def _load(path: Path) -> _File:
    """Raises Unreadable for everything that can be wrong with a file but its values."""
    from nibabel.spatialimages import HeaderDataError

    try:
        if path.stat().st_size == 0:
            raise Unreadable("is an empty file")
        with path.open("rb") as stream:
            return _parse(_inflated(stream) if path.suffix == ".gz" else _plain(stream))
    except (EOFError, zlib.error) as error:
        raise Unreadable(f"is a corrupt gzip ({error})") from error
    except HeaderDataError as error:
        raise Unreadable(f"has no readable NIfTI header ({error})") from error
    except (OSError, ValueError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Unreadable(f"cannot be read ({reason})") from error


def _parse(pieces: Iterator[bytes]) -> _File:
    """A NIfTI file from its bytes, all of which are taken: a gzip's check sum stands at its end."""
    import numpy as np
    from nibabel import Nifti1Header, imageglobals

    imageglobals.logger.setLevel("CRITICAL")  # It is we who say what is wrong.
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= HEADER_BYTES:
            break
    if len(head) < HEADER_BYTES:
        raise Unreadable(f"has no readable NIfTI header (it ends after {len(head)} bytes)")
    header = Nifti1Header(head[:HEADER_BYTES])
    shape, dtype = header.get_data_shape(), header.get_data_dtype()
    if len(shape) != 3 or min(shape) < 1:
        raise Unreadable(f"a volume has three axes, this one is of shape {shape}")
    begin = header.get_data_offset()
    end = begin + math.prod(shape) * dtype.itemsize
    memory, filled = np.empty(end, np.uint8), 0
    for piece in chain([head], pieces):
        part = np.frombuffer(piece, np.uint8)[: end - filled]
        memory[filled : filled + len(part)] = part
        filled += len(part)
    if filled < end:
        raise Unreadable(f"is truncated: {filled:,} of {end:,} bytes are there")
    raw: np.ndarray = np.ndarray(shape, dtype, memory, begin, order="F")
    slope, inter = header.get_slope_inter()
    return _File(raw, slope, inter, header.get_best_affine())


def _plain(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.read(CHUNK):
        yield piece


def _inflated(stream: IO[bytes]) -> Iterator[bytes]:
    """A gzip's content, its check sums verified. Raises EOFError where it is cut short.

    Of Python 3.11's own, `gzip.open` takes 8 KiB at a time and a third longer.
    """
    inflater = zlib.decompressobj(wbits=31)
    while piece := stream.read(CHUNK):
        while piece:
            if inflater.eof:  # Another member follows, or nothing but padding.
                piece = piece.lstrip(b"\0")
                if not piece:
                    break
                inflater = zlib.decompressobj(wbits=31)
            yield inflater.decompress(piece)
            piece = inflater.unused_data
    if not inflater.eof:
        raise EOFError("it ends before its check sum")
