"""How the axes of a file's array lie in the patient, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

PATIENT = ("L", "P", "S")
"""Where columns, rows and slices lead: to the left, the back and the head."""
TILT = 40.0
"""Degrees that an axis of the array may lean from an axis of the body; gantries tilt by 30 at most.
Beyond, no axis of the array is clearly the one from feet to head."""
SPACINGS = (0.01, 100.0)
"""Millimetres from voxel to voxel outside of which an affine must be in another unit."""


@dataclass(frozen=True, eq=False)
class Axes:
    """The axes of an array of three, of which each runs along another axis of the body."""

    affine: np.ndarray
    """(4, 4), from voxels to mm to the right, the front and the head, as NIfTI has it."""

    def to_patient(self, array: np.ndarray) -> np.ndarray:
        """The array as (slices to the head, rows to the back, columns to the left); a view."""
        import nibabel

        turned: np.ndarray = nibabel.apply_orientation(array, self._turn())
        return turned.transpose(2, 1, 0)

    def from_patient(self, array: np.ndarray) -> np.ndarray:
        """What `to_patient` has made, as the file has it; a view."""
        import nibabel

        back = nibabel.orientations.ornt_transform(_patient(), self._file())
        turned: np.ndarray = nibabel.apply_orientation(array.transpose(2, 1, 0), back)
        return turned

    def spacing(self) -> tuple[float, float, float]:
        """Millimetres between slices, rows and columns."""
        from nibabel.affines import voxel_sizes

        sizes, found = voxel_sizes(self.affine), [0.0, 0.0, 0.0]
        for axis, (target, _) in enumerate(self._turn()):
            found[2 - int(target)] = float(sizes[axis])
        return found[0], found[1], found[2]

    def _turn(self) -> np.ndarray:
        import nibabel

        turn: np.ndarray = nibabel.orientations.ornt_transform(self._file(), _patient())
        return turn

    def _file(self) -> np.ndarray:
        import nibabel

        found: np.ndarray = nibabel.io_orientation(self.affine)
        return found


def _patient() -> np.ndarray:
    import nibabel

    found: np.ndarray = nibabel.orientations.axcodes2ornt(PATIENT)
    return found


def affine_mistake(affine: np.ndarray) -> str | None:
    """Why no slices can be cut along this affine (4, 4); None where they can."""
    import numpy as np

    if not np.isfinite(affine).all():
        return "holds values that are not finite"
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if sizes.min() == 0:
        return "is singular: an axis has no length"
    if sizes.min() < SPACINGS[0] or sizes.max() > SPACINGS[1]:
        return f"makes voxels of {' x '.join(f'{size:g}' for size in sizes)} mm: is it in mm?"
    directions = affine[:3, :3] / sizes
    if abs(np.linalg.det(directions)) < 0.1:
        return "is singular: its three axes lie in one plane"
    lean = np.degrees(np.arccos(np.clip(np.abs(directions).max(axis=0), 0, 1))).max()
    if lean > TILT:
        return (
            f"leans by {lean:.0f} degrees, so that no axis runs from feet to head: turn the volume "
            f"until it leans by {TILT:.0f} at most"
        )
    if len(set(np.abs(directions).argmax(axis=0))) < 3:
        return "lets two axes of the array run along one axis of the body"
    return None
