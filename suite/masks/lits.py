"""Masks of LiTS's volumes: NIfTI files with the shape and the affine of the CT as published."""

from __future__ import annotations

import re
from pathlib import Path

from bench.errors import BadData, UserError
from bench.spec import Case, Masks
from suite.ct import nifti
from suite.ct.nifti import Pair
from suite.ct.volume import Volume

OFF_GRID = 0.01
"""How far, as a share of a voxel's edge, the corners of the two grids may lie apart: files store
affines as float32, and some tools as quaternions."""


def names(case: Case) -> list[str]:
    """`volume-3.nii.gz`, as the case is called, or `segmentation-3.nii`, as LiTS calls masks."""
    if not isinstance(case.source, Pair):
        raise UserError(
            f"masks are read of CT volumes in NIfTI, {case.id} is published as single slices: "
            "begin a run on the volumes"
        )
    number = re.sub(r"\D", "", case.id)
    stems = dict.fromkeys((case.id, f"volume-{number}", f"segmentation-{number}"))
    return [f"{stem}{ending}" for stem in stems for ending in (".nii.gz", ".nii")]


def read(case: Case, path: Path) -> Volume:
    """The case's volume with this mask. Raises BadData for a mask that is broken, holds other
    values than 0, 1 and 2, or lies on another grid than the CT."""
    assert isinstance(case.source, Pair), "its mask had a name"
    volume = nifti.read(Pair(case.source.volume, path))
    apart = _apart(case.source.volume, path)
    if not apart <= OFF_GRID:  # also where it is not finite
        raise BadData(
            f"{path}: its affine puts it on another grid than {case.source.volume.name}, up to "
            f"{apart:.3g} voxels away: save the mask with the CT's own affine"
        )
    return volume


def _apart(volume: Path, mask: Path) -> float:
    """How far apart corners of two arrays of one shape lie at most, in edges of a voxel."""
    import nibabel
    import numpy as np
    from nibabel.affines import apply_affine, voxel_sizes

    ours, theirs = nibabel.load(volume), nibabel.load(mask)
    last = np.array(ours.shape) - 1
    corners = np.array(list(np.ndindex(2, 2, 2))) * last
    apart = apply_affine(ours.affine, corners) - apply_affine(theirs.affine, corners)
    return float(np.linalg.norm(apart, axis=1).max() / voxel_sizes(ours.affine).min())


MASKS = Masks(names=names, read=read, options={"with_liver": 0, "without_liver": 0})
