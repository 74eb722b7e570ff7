"""LiTS, the Liver Tumor Segmentation Benchmark: CT volumes in HU with masks of liver and tumour.

Source: Bilic et al. 2023, The Liver Tumor Segmentation Benchmark (LiTS), Medical Image Analysis 84.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.spec import Case, Dataset

if TYPE_CHECKING:
    import numpy as np

LAYOUT = "volume-N.nii[.gz] with segmentation-N.nii[.gz], in one folder or in folders below it"
NAME = re.compile(r"(volume|segmentation)-(\d+)\.nii(?:\.gz)?")
CHECK_THREADS = 2
"""Files are inflated in parallel; memory then holds this many volumes with their masks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Volume:
    """One CT with its mask: slices from feet to head, rows from front to back, columns from the
    patient's right to the left. Shown as an image, an axial slice has anterior up and the liver on
    the left, as radiologists have it."""

    hu: np.ndarray
    """HU (slices, rows, columns): integers, or float32 where the file scales or holds fractions."""
    mask: np.ndarray
    """uint8, of the same shape: 0 background, 1 liver, 2 tumour."""
    spacing: tuple[float, float, float]
    """Millimetres between slices, rows and columns."""


class _Pair(NamedTuple):
    volume: Path
    mask: Path


class _Unreadable(Exception):
    """What is wrong with a file, for a list of problems."""


def files(folder: Path) -> list[Path]:
    """All volumes and segmentations below a folder."""
    return sorted(path for path in folder.rglob("*.nii*") if NAME.fullmatch(path.name))


def cases(folder: Path) -> list[Case]:
    """One case a volume, which is one patient, in the order of their numbers."""
    numbered = _numbered(folder)
    found = []
    for number in sorted(numbered):
        pair = numbered[number]
        if len(pair["volume"]) == len(pair["segmentation"]) == 1:
            name = f"volume-{number}"
            source = _Pair(pair["volume"][0], pair["segmentation"][0])
            found.append(Case(id=name, group=name, source=source))
    return found


def read(case: Case) -> Volume:
    """The volume and its mask, both turned by the volume's affine.

    The mask's own affine is not looked at: in LiTS some disagree with their volume's, while the
    voxels of the two arrays correspond.
    """
    import nibabel

    assert isinstance(case.source, _Pair)
    with _opened(case.source.volume) as image:
        hu = _array(image)
        affine, zooms = image.affine, image.header.get_zooms()
    with _opened(case.source.mask) as image:
        mask = _array(image).astype("uint8", copy=False)
    orientation = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(affine), nibabel.orientations.axcodes2ornt(("L", "P", "S"))
    )
    spacing = [0.0, 0.0, 0.0]
    for axis, (target, _) in enumerate(orientation):
        spacing[2 - int(target)] = float(zooms[axis])
    return Volume(
        hu=nibabel.apply_orientation(hu, orientation).transpose(2, 1, 0),
        mask=nibabel.apply_orientation(mask, orientation).transpose(2, 1, 0),
        spacing=(spacing[0], spacing[1], spacing[2]),
    )


def check(folder: Path) -> list[str]:
    """Every file that is missing, unreadable or does not fit its partner; reads each file once."""
    from concurrent.futures import ThreadPoolExecutor

    numbered = _numbered(folder)
    if not numbered:
        return [f"{folder} holds no LiTS files: expected {LAYOUT}"]
    with ThreadPoolExecutor(CHECK_THREADS) as pool:
        found = pool.map(lambda number: _check_pair(number, numbered[number]), sorted(numbered))
        return [problem for problems in found for problem in problems]


def _numbered(folder: Path) -> dict[int, dict[str, list[Path]]]:
    pairs: dict[int, dict[str, list[Path]]] = defaultdict(
        lambda: {"volume": [], "segmentation": []}
    )
    for path in files(folder):
        match = NAME.fullmatch(path.name)
        assert match
        pairs[int(match[2])][match[1]].append(path)
    return pairs


def _check_pair(number: int, pair: dict[str, list[Path]]) -> list[str]:
    problems = []
    for kind, paths in pair.items():
        if not paths:
            there = next(path for other in pair.values() for path in other)
            problems.append(f"{there}: its partner {kind}-{number}.nii[.gz] is missing")
        if len(paths) > 1:
            problems.append(f"{' and '.join(map(str, paths))} are two {kind}s of one number")
    shapes = {}
    for kind, paths in pair.items():
        for path in paths:
            try:
                with _opened(path) as image:
                    shapes[path] = image.shape
                    array = _array(image)
                if mistake := (_mask_mistake if kind == "segmentation" else _hu_mistake)(array):
                    problems.append(f"{path}: {mistake}")
            except _Unreadable as error:
                problems.append(f"{path}: {error}")
    if len(pair["volume"]) == len(pair["segmentation"]) == 1:
        volume, mask = pair["volume"][0], pair["segmentation"][0]
        if volume in shapes and mask in shapes and shapes[volume] != shapes[mask]:
            problems.append(
                f"{mask}: the mask's shape {shapes[mask]} differs from {volume.name}'s "
                f"{shapes[volume]}"
            )
    return problems


def _hu_mistake(hu: np.ndarray) -> str | None:
    import numpy as np

    if hu.dtype.kind == "f" and not all(np.isfinite(part).all() for part in hu.T):
        return "holds values that are not finite"
    return None


def _mask_mistake(mask: np.ndarray) -> str | None:
    import numpy as np

    if mask.dtype.kind == "f":
        for part in mask.T:
            if not np.isfinite(part).all():
                return "holds values that are not finite"
            if (part != np.round(part)).any():
                return "a mask holds whole numbers, this one fractions"
    low, high = mask.min(), mask.max()
    if low < 0 or high > 2:
        return (
            f"a mask holds 0 background, 1 liver and 2 tumour, this one values from {low:g} to "
            f"{high:g}"
        )
    return None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A NIfTI image that is still to be read; on leaving, the end of a gzip has been checked too.

    Raises _Unreadable for everything that can be wrong with the file.
    """
    from nibabel import Nifti1Image, imageglobals
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    imageglobals.logger.setLevel("CRITICAL")  # It is we who say what is wrong.
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            image = Nifti1Image.from_stream(stream)
            if len(image.shape) != 3 or 0 in image.shape:
                raise _Unreadable(f"a volume has three axes, this one is of shape {image.shape}")
            yield image
            while stream.read(1 << 20):  # The check sum of a gzip stands at its end.
                pass
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _Unreadable(f"is a corrupt gzip ({error})") from error
    except (ImageFileError, HeaderDataError) as error:
        raise _Unreadable(f"has no readable NIfTI header ({error})") from error
    except (OSError, ValueError) as error:
        raise _Unreadable(f"cannot be read ({error})") from error


def _array(image: Any) -> np.ndarray:
    """The voxels in the file's own axes: its integers where it scales nothing, else float32."""
    import numpy as np

    proxy = image.dataobj
    raw = proxy.get_unscaled()
    slope, inter = proxy.slope, proxy.inter
    if (slope, inter) == (1, 0):
        if raw.dtype.kind in "iu":
            return raw if raw.dtype.itemsize <= 2 else raw.astype(np.int32)
        return raw.astype(np.float32, copy=False)
    scaled = raw.astype(np.float32)
    scaled *= np.float32(slope)
    scaled += np.float32(inter)
    return scaled


DATASET = Dataset(
    title="Liver Tumor Segmentation Benchmark (LiTS)",
    layout=LAYOUT,
    groups=True,
    files=files,
    check=check,
    cases=cases,
    read=read,
)
