"""Generated abdominal CT in LiTS's format: schematic anatomy in HU, no patient behind it.

Liver and neighbours differ by little more than noise, places and sizes vary from patient to
patient; a tumour's margin is soft. Volumes are painted and written slab by slab.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.spec import Phantom

if TYPE_CHECKING:
    import numpy as np

    from suite.ct.anatomy import Patient

VERSION = 3
ORIENTATIONS = ("LPS", "LPS", "LAS", "RAS")
"""Where a file's axes point to; the first is LiTS's commonest. None turns the slices' order, so
that they can be written from the feet upwards."""


def write(
    folder: Path,
    *,
    cases: int,
    seed: int,
    shape: tuple[int, int, int] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """`volume-N.nii.gz` and `segmentation-N.nii.gz` for N below `cases`, and the phantom's marker.

    The same bytes for the same arguments; a volume does not depend on how many there are. `shape`
    is every volume's columns, rows and slices; without it each has its own. Whatever the shape,
    the patients' sizes in mm are the same. Progress is told after each volume.
    """
    import numpy as np

    from suite.ct.anatomy import Patient
    from suite.ct.painting import Painter

    folder.mkdir(parents=True, exist_ok=True)
    marker = {"dataset": "lits", "version": VERSION, "cases": cases, "seed": seed}
    if shape is not None:
        marker["shape"] = list(shape)
    (folder / "PHANTOM.json").write_text(json.dumps(marker))
    for number in range(cases):
        key = [seed, VERSION, number]
        rng = np.random.default_rng(key)
        patient = Patient.draw(rng, shape=shape)
        codes = ORIENTATIONS[rng.integers(len(ORIENTATIONS))]

        def noise(index: int, key: list[int] = key) -> np.random.Generator:
            return np.random.default_rng(np.random.SeedSequence(key, spawn_key=(index,)))

        painter = Painter(patient, noise)
        with (
            _file(folder / f"volume-{number}.nii.gz", patient, codes, "int16") as volume,
            _file(folder / f"segmentation-{number}.nii.gz", patient, codes, "uint8") as mask,
        ):
            for hu, labels in painter.slabs():
                volume(hu)
                mask(labels)
        if progress:
            progress("phantom", number + 1, cases)


@contextmanager
def _file(
    path: Path, patient: Patient, codes: str, dtype: str
) -> Iterator[Callable[[np.ndarray], None]]:
    """A NIfTI file whose axes point where `codes` says: yields what appends slices to it.

    Those come as (slices, rows, columns), in the order and orientation in which they are painted.
    """
    import nibabel
    import numpy as np

    slices, rows, columns = patient.grid.shape
    between, high, wide = patient.spacing
    affine = np.diag([-wide, -high, between, 1.0])  # Columns, rows, slices: L, P, S.
    affine[:2, 3] = [wide * columns / 2, high * rows / 2]
    turn = nibabel.orientations.ornt_transform(
        nibabel.orientations.axcodes2ornt(tuple("LPS")),
        nibabel.orientations.axcodes2ornt(tuple(codes)),
    )
    affine = affine @ nibabel.orientations.inv_ornt_aff(turn, (columns, rows, slices))
    frame = np.broadcast_to(np.zeros((), dtype), (columns, rows, slices))
    header = nibabel.Nifti1Image(frame, affine).header
    header.set_xyzt_units("mm")
    header.set_slope_inter(1, 0)
    steps = tuple(slice(None, None, int(flip)) for flip in (turn[1, 1], turn[0, 1]))

    with path.open("wb") as raw, gzip.GzipFile("", "wb", 1, raw, mtime=0) as stream:
        header.write_to(stream)

        def append(part: np.ndarray) -> None:
            # Columns vary fastest in the file, as in the array.
            stream.write(np.ascontiguousarray(part[:, *steps]).data)

        yield append


PHANTOM = Phantom(version=VERSION, cases=24, write=write, shape=True)
