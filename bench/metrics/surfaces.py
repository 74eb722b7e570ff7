"""One class of one volume, as the truth and as predicted: overlap, and distances of the surfaces.

A surface is the voxels of a mask that a binary erosion with the six face neighbours takes away,
those at the volume's border included; a distance is from a voxel of one surface to the nearest
voxel of the other, in mm. Both are MONAI's (`monai.metrics`), whose import takes seconds and is
made when the first distance is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.metrics.counts import Array

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Pair:
    """The truth and the prediction, bool (slices, rows, columns), with mm along each axis."""

    true: Mask
    predicted: Mask
    spacing: tuple[float, float, float]

    @classmethod
    def of(
        cls,
        true: npt.NDArray[np.integer[Any]],
        predicted: npt.NDArray[np.integer[Any]],
        index: int,
        spacing: tuple[float, float, float],
    ) -> Pair:
        """A class of two masks, cut to the box that holds both: outside of it nothing counts."""
        from scipy import ndimage

        known, called = true == index, predicted == index
        boxes = ndimage.find_objects((known | called).view(np.uint8))
        box = boxes[0] if boxes else (slice(0, 1),) * 3
        return cls(known[box], called[box], spacing)

    @cached_property
    def voxels(self) -> tuple[int, int, int]:
        """Voxels of the truth, of the prediction, and of both at once."""
        both = int(np.count_nonzero(self.true & self.predicted))
        return int(np.count_nonzero(self.true)), int(np.count_nonzero(self.predicted)), both

    @cached_property
    def distances(self) -> tuple[Array, Array] | None:
        """From each voxel of the predicted surface to the true one, and the reverse, in mm; None
        where the class is in one of the two alone, or in neither."""
        if not all(self.voxels[:2]):
            return None
        from monai.metrics import get_mask_edges, get_surface_distance

        predicted, true = get_mask_edges(self.predicted, self.true, crop=False)
        there = get_surface_distance(predicted, true, spacing=self.spacing)
        back = get_surface_distance(true, predicted, spacing=self.spacing)
        return np.asarray(there, np.float64), np.asarray(back, np.float64)


def volumetric_overlap_error(pair: Pair) -> float:
    """1 - IoU: 1 for a class in one of the two alone, NaN in neither. Source: Heimann et al. 2009.

    The name is used for 100 times this value, too.
    """
    true, predicted, both = pair.voxels
    union = true + predicted - both
    return 1 - both / union if union else np.nan


def relative_volume_difference(pair: Pair) -> float:
    """(predicted - true) / true, signed: below 0 too little was found; NaN without truth.

    Source: Heimann et al. 2009. The LiTS benchmark reports its absolute value.
    """
    true, predicted, _ = pair.voxels
    return (predicted - true) / true if true else np.nan


def average_symmetric_surface_distance(pair: Pair) -> float:
    """The mean of all distances, both ways, in mm; NaN where one side is empty.

    Source: Heimann et al. 2009, eq. 2: each surface voxel counts once.
    """
    if pair.distances is None:
        return np.nan
    return float(np.concatenate(pair.distances).mean())


def hausdorff_95(pair: Pair) -> float:
    """The 95th percentile of the distances one way, the greater of the two ways, in mm.

    NaN where one side is empty. Source: Huttenlocher et al. 1993 with percentiles; MONAI's form.
    Other tools take the percentile of both ways' distances together, which is smaller or equal.
    """
    if pair.distances is None:
        return np.nan
    return float(max(np.quantile(way, 0.95) for way in pair.distances))


def has_surfaces(pair: Pair) -> float:
    """1 where there is a surface distance, 0 where one side is empty, NaN where both are."""
    true, predicted, _ = pair.voxels
    return float(bool(true and predicted)) if true or predicted else np.nan
