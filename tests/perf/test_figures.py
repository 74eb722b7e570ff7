"""Figures of the speed scripts: the table, and that they are read as they were written."""

import pytest

from tests.perf import figures
from tests.perf.figures import Figure, Side, against_limit


def figure(ratio: float, bound="at most") -> Figure:
    return Figure(
        what="a thing",
        unit="ms",
        ours=Side(label="engine", values=(3.0, 1.0, 2.0)),
        theirs=Side(label="plain", values=(4.0,)),
        ratio=ratio,
        bound=bound,
        target=0.6,
        note="of two",
    )


def test_both_sides_all_repeats_and_the_ratio_are_shown():
    lines = figure(0.5).lines()
    for part in ("engine", "(3, 1, 2)", "plain", "(4)", "ratio 0.5", "at most 0.6", "of two"):
        assert part in lines


def test_a_target_that_is_missed_is_said_in_either_direction():
    assert "missed" not in figures.table([figure(0.5), figure(0.7, "at least")])
    assert figures.table([figure(0.7), figure(0.5, "at least")]).count("missed") == 2
    assert figure(0.6).met and figure(0.6, "at least").met


def test_a_figure_below_a_limit_has_their_quotient_as_its_ratio():
    found = against_limit("report", "s", [4.0, 5.0, 6.0], 10.0, label="ours")
    assert (found.ratio, found.met, found.theirs.values) == (0.5, True, (10.0,))


def test_sides_that_took_turns_are_compared_pair_by_pair():
    ours = Side(label="engine", values=(10.0, 1.0, 30.0))
    assert figures.paired(ours, Side(label="plain", values=(5.0, 0.5, 30.0))) == 2
    with pytest.raises(ValueError):
        figures.paired(ours, Side(label="plain", values=(5.0,)))


def test_figures_are_read_as_they_were_written(tmp_path, capsys):
    found = [figure(0.5), figure(0.7, "at least")]
    figures.finish(found, tmp_path / "figures.json")
    assert figures.read(tmp_path / "figures.json") == found
    assert capsys.readouterr().out.count("a thing, ms:") == 2
