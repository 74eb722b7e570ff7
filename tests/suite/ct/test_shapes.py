"""Shapes in mm on grids of voxels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.ct.shapes import Ellipsoid, Grid, Point, Tube, joined

GRID = Grid.of(np.arange(12) * 5.0, np.arange(20) * 3.0 - 30, np.arange(24) * 2.0 - 24)

places = st.builds(Point, st.floats(-20, 80), st.floats(-50, 50), st.floats(-40, 40))
sizes = st.builds(Point, st.floats(1, 40), st.floats(1, 40), st.floats(1, 40))


@given(centre=places, radii=sizes, depth=st.sampled_from([0.0, -0.28]))
def test_an_ellipsoids_box_holds_all_of_it(centre: Point, radii: Point, depth: float) -> None:
    form = Ellipsoid(centre=centre, radii=radii)
    inside = form.depth(GRID) > depth
    box = form.box(GRID, depth=depth)
    boxed = np.zeros(GRID.shape, bool)
    boxed[box] = form.depth(GRID.part(box)) > depth
    np.testing.assert_array_equal(boxed, inside)


def test_depth_is_1_in_the_middle_and_0_on_the_surface() -> None:
    form = Ellipsoid(centre=Point(20, 0, 4), radii=Point(10, 9, 8))
    depth = form.depth(GRID)
    assert depth.shape == GRID.shape and depth.dtype == np.float32
    assert depth[4, 10, 14] == 1
    for index in ((6, 10, 14), (2, 10, 14), (4, 13, 14), (4, 10, 18)):
        assert depth[index] == pytest.approx(0, abs=1e-6)
    assert depth[0, 10, 14] < 0


def test_a_tube_is_as_wide_as_its_radius_and_follows_its_turn() -> None:
    tube = Tube(middle=Point(25, 0, 0), turn=0.75, radius=6)
    inside = tube.inside(GRID)
    z, y, x = np.nonzero(inside)
    across = (GRID.y.ravel()[y] - 0.75 * GRID.x.ravel()[x]) / 1.25
    assert np.abs(across).max() <= 6
    assert inside[5, 10, 12]
    assert x.min() == 0 and x.max() == 23, "it goes on to both sides"


def test_a_coarse_grid_covers_the_same_block() -> None:
    coarse = GRID.coarse(6.0)
    for fine, rough in ((GRID.z, coarse.z), (GRID.y, coarse.y), (GRID.x, coarse.x)):
        assert rough.flat[0] == fine.flat[0]
        assert abs(rough.flat[-1] - fine.flat[-1]) <= 3
        assert np.allclose(np.diff(rough.ravel()), 6)
    assert GRID.at(np.array([2, 10, 12])) == Point(10, 0, 0)


def test_joined_boxes_hold_both() -> None:
    first = (slice(2, 4), slice(0, 3), slice(5, 9))
    second = (slice(3, 7), slice(1, 2), slice(0, 4))
    assert joined(first, second) == (slice(2, 7), slice(0, 3), slice(0, 9))
