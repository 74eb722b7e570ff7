"""Lesion-wise detection: which connected components of a class were found.

A lesion is a component of voxels that share a face (6 neighbours), as in the scoring code of the
LiTS benchmark (github.com/PatrickChrist/lits-challenge-scoring). One is found when a predicted
component overlaps it with an intersection over union of more than 0.5, as there; at most one
predicted component can. That code first merges lesions that one prediction spans; here a
prediction that runs over two lesions has found the one that it overlaps by that much, or none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bench.metrics.counts import Array

OVERLAP = 0.5
"""Intersection over union above which a lesion is found."""


def count(true: npt.NDArray[np.bool_], predicted: npt.NDArray[np.bool_]) -> tuple[int, int, int]:
    """Lesions found, false ones, and missed ones: TP, FP, FN.

    true, predicted: bool (slices, rows, columns).
    """
    from scipy import ndimage

    lesions, known = ndimage.label(true)
    called, claimed = ndimage.label(predicted)
    both = predicted & true
    pairs, overlap = np.unique(
        lesions[both].astype(np.int64) * (claimed + 1) + called[both], return_counts=True
    )
    lesion, claim = np.divmod(pairs, claimed + 1)
    sizes = np.bincount(lesions[true], minlength=known + 1)[lesion]
    claims = np.bincount(called[predicted], minlength=claimed + 1)[claim]
    found = int(np.count_nonzero(overlap > OVERLAP * (sizes + claims - overlap)))
    return found, claimed - found, known - found


def precision(counts: Array) -> Any:
    """Of predicted lesions the share that is right; 0 for lesions and no prediction."""
    found, false, missed = counts
    if found + false == 0 and missed > 0:
        return 0.0
    return found / (found + false)


def recall(counts: Array) -> Any:
    """Of true lesions the share that was found."""
    found, _, missed = counts
    return found / (found + missed)


def f1(counts: Array) -> Any:
    found, false, missed = counts
    return 2 * found / (2 * found + false + missed)
