import pytest

from results import training
from results.analysis import analyse
from results.load import load_run
from tests.results.synthetic import CAST


@pytest.fixture
def cast(make_run):
    run = load_run(make_run(CAST))
    return run, analyse(run, "lits_cls")


def test_a_mean_curve_is_the_mean_of_the_seeds_at_each_epoch(make_run):
    run = load_run(make_run())
    curves = training.curves(run, analyse(run, "lits_cls"))
    strong = curves[(curves["entrant"] == "Strong") & (curves["epoch"] == 4)]
    seeds, mean = strong[strong["replicate"] >= 0], strong[strong["replicate"] == -1].iloc[0]
    assert len(seeds) == 3
    assert mean["validation"] == pytest.approx(seeds["validation"].mean())
    assert mean["charged_seconds"] == pytest.approx(seeds["charged_seconds"].mean())


def test_charged_seconds_add_up_along_a_curve(make_run):
    run = load_run(make_run())
    curves = training.curves(run, analyse(run, "lits_cls"))
    line = curves[(curves["entrant"] == "Strong") & (curves["replicate"] == 0)]
    study = run.of_task("lits_cls")[0].id
    assert line["charged_seconds"].is_monotonic_increasing
    last = run.progress(study).replicates[0].charged_seconds
    assert line["charged_seconds"].iloc[-1] == pytest.approx(last)


def test_the_best_so_far_never_falls_and_ends_at_all_effort(cast):
    run, analysis = cast
    path = training.trajectory(run, analysis)
    for study in run.of_task("lits_cls")[:-1]:
        best = path[(path["entrant"] == study.label) & (path["kind"] == "best")]
        assert best["validation"].is_monotonic_increasing
        assert best["effort_epochs"].iloc[-1] == run.progress(study.id).effort
    marks = path[path["entrant"] == "ConvMixer"]["kind"].value_counts()
    assert (marks["completed"], marks["stopped"], marks["failed"]) == (3, 4, 2)


def test_for_a_loss_the_best_so_far_falls(make_run):
    run = load_run(make_run(primary="log_loss"))
    path = training.trajectory(run, analyse(run, "lits_cls"))
    best = path[(path["entrant"] == "Strong") & (path["kind"] == "best")]
    assert best["validation"].is_monotonic_decreasing


def test_winners_say_what_was_pinned(cast):
    winners = training.winners(*cast)
    depth = winners[winners["parameter"] == "depth"].set_index("entrant")
    assert depth.loc["ResNet-34, from scratch", "value"] == 34 and depth["pinned"].all()
    assert not winners[winners["parameter"] == "learning_rate"]["pinned"].any()


def test_winners_say_what_nobody_touched(cast):
    winners = training.winners(*cast)
    held = winners[winners["parameter"] == "initialisation"]
    assert len(held) and held["held"].all() and held["pinned"].all()
    assert not winners[winners["parameter"] == "depth"]["held"].any()
