"""Arrays turned into the patient's axes and back."""

from __future__ import annotations

from itertools import permutations, product

import nibabel
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from suite.ct.axes import Axes

CODES = ["".join(codes) for order in permutations(("LR", "PA", "SI")) for codes in product(*order)]


@given(codes=st.sampled_from(CODES), angle=st.floats(-0.5, 0.5))
def test_there_and_back_is_the_same_array(codes: str, angle: float) -> None:
    turn = nibabel.orientations.ornt_transform(
        nibabel.orientations.axcodes2ornt(("R", "A", "S")),
        nibabel.orientations.axcodes2ornt(tuple(codes)),
    )
    shape = (4, 5, 6)
    straight = np.diag([1.5, 2.5, 3.5, 1]) @ nibabel.orientations.inv_ornt_aff(turn, shape)
    leaning = nibabel.affines.from_matvec(nibabel.eulerangles.euler2mat(angle)) @ straight
    assert nibabel.aff2axcodes(leaning) == tuple(codes)
    axes = Axes(leaning)
    array = np.arange(120).reshape(shape)
    there = axes.to_patient(array)
    np.testing.assert_array_equal(axes.from_patient(there), array)
    assert sorted(there.shape) == sorted(shape)


def test_the_axes_lead_to_the_head_the_back_and_the_left() -> None:
    axes = Axes(np.diag([2.0, 3.0, 4.0, 1.0]))  # To the right, the front and the head.
    array = np.arange(24).reshape(2, 3, 4)
    there = axes.to_patient(array)
    assert there.shape == (4, 3, 2) and axes.spacing() == (4.0, 3.0, 2.0)
    # Foremost, rightmost, lowest: the last row and column of the file, the first of the patient.
    assert there[0, 0, 0] == array[1, 2, 0] and there[3, 2, 1] == array[0, 0, 3]
