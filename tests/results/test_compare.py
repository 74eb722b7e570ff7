"""Two runs before the gate: what is paired, what is refused, what cannot be measured."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bench.errors import UserError
from bench.folders import openings_register
from bench.ledger import openings
from results.compare import Settings, compare
from results.gate import Verdict
from tests.results.synthetic import Actor, write_run

SMALL = {"patients": 12, "per_patient": 12, "trials": 3, "validation": True}
MINE = Actor(label="Mine", quality=1.5, seed_spread=0.02)
TEST = Settings(on="test")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Writes each run once for all tests; they work on copies."""
    folder, known = tmp_path_factory.mktemp("written"), {}

    def written(name, actors, more):
        key = repr((name, actors, sorted(more.items())))
        if key not in known:
            known[key] = write_run(folder / str(len(known)) / name, actors, **more)
        return known[key]

    return written


@pytest.fixture
def make(tmp_path, written):
    """A synthetic run in a fresh folder; each name has seeds of its own."""

    def make(name, *actors, **more):
        run = written(name, actors or (MINE,), SMALL | {"salt": name} | more)
        return Path(shutil.copytree(run, tmp_path / name))

    return make


def actor(quality, label="Mine", **more):
    return Actor(label=label, quality=quality, seed_spread=0.02, **more)


def edit_record(folder, edit):
    path = folder / "run.json"
    record = json.loads(path.read_text())
    edit(record)
    path.write_text(json.dumps(record))


def edit_ledger(folder, kind, edit):
    """Change the events of one kind in place; those for which `edit` returns False go."""
    path, kept = folder / "ledger.jsonl", []
    for line in path.read_text().splitlines():
        event = json.loads(line)
        if event["event"] != kind or edit(event) is not False:
            kept.append(json.dumps(event))
    path.write_text("\n".join(kept) + "\n")


def edit_predictions(folder, edit):
    """Change the arrays of every replicate, and what the ledger says of the files."""

    def rewrite(event):
        path = folder / event["predictions"]["file"]
        with np.load(path) as file:
            arrays = dict(file)
        edit(arrays)
        np.savez_compressed(path, **arrays)
        event["predictions"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()

    edit_ledger(folder, "replicate_finished", rewrite)


def only(outcome):
    (finding,) = outcome.findings
    return finding


@pytest.mark.parametrize("seeds", [3, 10])
@pytest.mark.parametrize("on", ["validation", "test"])
@pytest.mark.parametrize(
    ("quality", "expected"),
    [(0.6, Verdict.REGRESSED), (2.4, Verdict.BETTER), (1.52, Verdict.INCONCLUSIVE)],
)
def test_a_candidate_is_judged(make, seeds, on, quality, expected):
    baseline = make("one", seeds=seeds)
    outcome = compare(baseline, make("two", actor(quality), seeds=seeds), settings=Settings(on=on))
    assert outcome.verdict is only(outcome).verdict is expected
    found = only(outcome).contrast
    assert found.method == ("t" if seeds == 3 else "bootstrap")
    assert found.lower < found.value < found.upper
    assert only(outcome).seeds == (seeds, seeds) and only(outcome).patients == 12
    assert (found.seeds_needed is not None or bool(found.why)) == (expected == "inconclusive")


def test_not_worse_within_a_wide_margin(make):
    baseline, candidate = make("one"), make("two")
    for folder in (baseline, candidate):
        edit_record(folder, lambda record: record["tasks"]["lits_cls"].update(margin=0.3))
    outcome = compare(baseline, candidate, settings=Settings())
    assert outcome.verdict is Verdict.NOT_WORSE and outcome.exit_code == 0


def test_runs_change_places_and_the_difference_its_sign(make):
    baseline, candidate = make("one"), make("two", actor(1.2))
    there = only(compare(baseline, candidate, settings=Settings())).contrast
    back = only(compare(candidate, baseline, settings=Settings())).contrast
    assert back.value == pytest.approx(-there.value)
    assert back.lower == pytest.approx(-there.upper) and back.upper == pytest.approx(-there.lower)


def test_patients_are_paired_between_the_runs(make):
    """Hard patients are hard for both: paired, they do not blur the difference."""
    baseline, candidate = make("one"), make("two", actor(1.4))
    paired = only(compare(baseline, candidate, settings=Settings())).contrast

    def shuffle(arrays):
        names = np.unique(arrays["validation_groups"])
        other = dict(zip(names, np.roll(names, 1), strict=True))
        arrays["validation_groups"] = np.array([other[n] for n in arrays["validation_groups"]])

    edit_predictions(candidate, shuffle)
    refused = only(compare(baseline, candidate, settings=Settings()))
    assert np.isfinite(paired.lower) and refused.verdict is Verdict.NOT_MEASURED
    assert "other validation cases" in refused.contrast.why


def test_less_is_better_where_the_metric_says_so(make):
    baseline = make("one", primary="log_loss")
    worse, better = (make(f"q{q}", actor(q), primary="log_loss") for q in (0.6, 2.4))
    assert compare(baseline, worse, settings=Settings()).verdict is Verdict.REGRESSED
    outcome = compare(baseline, better, settings=Settings())
    assert outcome.verdict is Verdict.BETTER and only(outcome).contrast.value > 0


def test_segmenters_are_compared_too(make):
    more = {"masks": True, "primary": "mean_case_dice", "per_patient": 6}
    outcome = compare(make("one", **more), make("two", actor(0.5), **more), settings=Settings())
    assert outcome.verdict is Verdict.REGRESSED


def test_two_entrants_of_one_run(make):
    folder = make("one", MINE, actor(0.6, "Other"))
    outcome = compare(folder, folder, entrants=("Mine", "Other"), settings=Settings())
    assert outcome.verdict is Verdict.REGRESSED
    assert (only(outcome).baseline.label, only(outcome).candidate.label) == ("Mine", "Other")
    assert only(outcome).label == "Other against Mine" and not outcome.notes


def test_every_label_that_both_have_and_a_note_of_the_rest(make):
    baseline = make("one", MINE, actor(1, "Second"), actor(1, "Gone"))
    candidate = make("two", actor(1, "Second"), MINE, finish=False)
    outcome = compare(baseline, candidate, settings=Settings())
    assert [finding.label for finding in outcome.findings] == ["Mine", "Second"]
    assert outcome.notes == (
        "Gone on lits_cls is in one alone: not compared",
        "two has not ended: what it has so far is compared",
    )
    assert len(compare(baseline, candidate, entrants=("Mine",), settings=Settings()).findings) == 1


def test_one_regression_of_several_is_corrected_for_their_number(make):
    """alpha just above its p: it regresses alone, and is not told from chance among five."""
    crowd = [actor(1, f"Other {n}") for n in range(4)]
    baseline, candidate = make("one", MINE, *crowd), make("two", actor(1.0), *crowd)
    alone = compare(baseline, candidate, entrants=("Mine",), settings=Settings())
    alpha = 1.2 * only(alone).contrast.evidence.p_regressed
    settings = Settings(alpha=alpha)
    alone = compare(baseline, candidate, entrants=("Mine",), settings=settings)
    together = compare(baseline, candidate, settings=settings)
    assert alone.verdict is together.findings[0].verdict is Verdict.REGRESSED
    assert together.verdict is Verdict.INCONCLUSIVE


def test_the_same_comparison_gives_the_same_numbers(make):
    folders = make("one", seeds=10), make("two", actor(1.45), seeds=10)
    first, second = (only(compare(*folders, settings=Settings())).contrast for _ in range(2))
    assert first == second


# --- The test set ---------------------------------------------------------------------------


def test_a_comparison_on_test_is_registered_as_an_opening(make):
    folders = make("one", MINE, actor(1, "Second")), make("two", MINE, actor(1, "Second"))
    assert compare(*folders, settings=Settings()).openings == ()
    assert not openings_register().exists()
    for times in (1, 2):
        (opening,) = compare(*folders, settings=TEST).openings
        assert (opening.fingerprint, opening.times) == ("60303ae22b99", times)
    noted = [e["run"] for e in openings(openings_register(), fingerprint="60303ae22b99")]
    assert noted == ["compare one two"] * 2


def test_what_is_not_read_is_not_an_opening(make):
    outcome = compare(make("one"), make("two", seeds=2), settings=TEST)
    assert outcome.verdict is Verdict.NOT_MEASURED and outcome.openings == ()
    assert not openings_register().exists()


# --- Not measured ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "edit"),
    [
        ("phantom", lambda r: r.update(phantom=False)),
        ("scale", lambda r: r["suite"].update(scale="small")),
        ("data.fingerprint", lambda r: r["data"]["lits_cls"].update(fingerprint="aa")),
        ("data.test_fingerprint", lambda r: r["data"]["lits_cls"].update(test_fingerprint="aa")),
        (
            "data.splits.validation.cases",
            lambda r: r["data"]["lits_cls"]["splits"]["validation"].update(cases=9),
        ),
        ("task.margin", lambda r: r["tasks"]["lits_cls"].update(margin=0.5)),
        ("task.primary", lambda r: r["tasks"]["lits_cls"].update(primary="accuracy")),
        ("task.metrics", lambda r: r["tasks"]["lits_cls"].update(metrics=["macro_f1"])),
        ("options.image_size", lambda r: r["suite"]["options"]["lits_cls"].update(image_size=9)),
        ("training.balance", lambda r: r["suite"].update(training={"lits_cls": {"balance": "x"}})),
        ("search.effort_epochs", lambda r: r["studies"][0]["search"].update(effort_epochs=99)),
        (
            "replicates.refit",
            lambda r: r["studies"][0]["replicates"].update(refit="train+validation"),
        ),
    ],
)
def test_another_protocol_is_not_measured_and_named(make, field, edit):
    baseline, candidate = make("one"), make("two")
    edit_record(candidate, edit)
    outcome = compare(baseline, candidate, settings=TEST)
    assert outcome.verdict is Verdict.NOT_MEASURED and outcome.exit_code == 5
    assert [difference.field for difference in only(outcome).differing] == [field]
    assert not openings_register().exists()


def test_more_seeds_and_another_record_version_are_no_other_protocol(make):
    candidate = make("two", seeds=4)

    def as_version_2(record):
        record["v"] = 2
        record["tasks"]["lits_cls"]["version"] = 1

    edit_record(candidate, as_version_2)
    found = only(compare(make("one"), candidate, settings=Settings()))
    assert not found.differing and found.seeds == (3, 4)


def drop_all(folder):
    edit_ledger(folder, "replicate_finished", lambda event: False)


def drop_one(folder):
    edit_ledger(folder, "replicate_finished", lambda event: event["replicate"] > 0)


def remove_file(folder):
    next((folder / "predictions").iterdir()).unlink()


def alter_file(folder):
    with next((folder / "predictions").iterdir()).open("ab") as file:
        file.write(b"x")


def other_cases(folder):
    def rename(arrays):
        arrays["validation_ids"] = np.char.add(arrays["validation_ids"], "x")

    edit_predictions(folder, rename)


def undefined(folder):
    edit_ledger(
        folder,
        "replicate_finished",
        lambda event: event["validation_metrics"].update(macro_f1=None),
    )


def wrong_scores(folder):
    def worsen(arrays):
        arrays["validation_scores"] = np.roll(arrays["validation_scores"], 1, axis=0)

    edit_predictions(folder, worsen)


def not_a_number(folder):
    def spoil(arrays):
        arrays["validation_scores"][0, 0] = np.nan

    edit_predictions(folder, spoil)


def sealed(folder):
    edit_ledger(folder, "replicate_finished", lambda event: event.update(validation_metrics={}))


def failed(folder):
    edit_ledger(folder, "study_finished", lambda e: e.update(state="failed", winner=None))


@pytest.mark.parametrize("which", ["one", "two"])
@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (drop_all, "no replicate has finished: go on with `bench resume"),
        (drop_one, "2 of at least 3 seeds: run it with --seeds 3"),
        (remove_file, ".npz is missing: bring back the run"),
        (alter_file, "its checksum differs"),
        (other_cases, "for other validation cases"),
        (undefined, "macro_f1 is undefined for 3 of 3 seeds"),
        (wrong_scores, "its predictions give"),
        (not_a_number, "not all finite"),
        (sealed, "none of its replicates was scored on the validation split"),
        (failed, "its search failed"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(make, tmp_path, which, harm, says):
    folders = make("one"), make("two")
    harm(tmp_path / which)
    outcome = compare(*folders, settings=Settings())
    why = only(outcome).contrast.why
    assert outcome.exit_code == 5 and says in why and "\n" not in why
    named = "two" if harm is other_cases else which
    assert why.startswith(f"{named}, Mine")


def test_trained_on_validation_there_is_the_test_set_alone(make):
    folders = make("one", refit="train+validation"), make("two", refit="train+validation")
    outcome = compare(*folders, settings=Settings())
    assert outcome.exit_code == 5 and "compare with --on test" in only(outcome).contrast.why
    assert compare(*folders, settings=TEST).verdict is not Verdict.NOT_MEASURED


def test_sealed_runs_are_compared_on_validation_alone(make):
    folders = make("one"), make("two")
    for folder in folders:
        edit_ledger(folder, "replicate_finished", lambda event: event.update(test_metrics={}))
    assert compare(*folders, settings=Settings()).verdict is not Verdict.NOT_MEASURED
    outcome = compare(*folders, settings=TEST)
    assert outcome.exit_code == 5 and "open it with `bench unseal`" in only(outcome).contrast.why
    assert not openings_register().exists()


def test_a_constant_metric_is_decided_by_enough_patients_alone(make):
    perfect = actor(60)
    many = compare(make("one", perfect), make("two", perfect), settings=Settings())
    assert only(many).contrast.value == 0 and many.verdict is Verdict.NOT_WORSE
    few = {"patients": 4, "per_patient": 12}
    outcome = compare(make("a", perfect, **few), make("b", perfect, **few), settings=Settings())
    assert outcome.verdict is Verdict.INCONCLUSIVE and "more patients" in only(outcome).contrast.why


def test_one_patient_is_too_few(make):
    one = {"patients": 1, "per_patient": 60}
    outcome = compare(make("one", **one), make("two", **one), settings=Settings())
    assert outcome.exit_code == 5 and "two or more patients" in only(outcome).contrast.why


# --- Mistakes -------------------------------------------------------------------------------


def newer(folder):
    edit_record(folder, lambda record: record.update(v=99))


def newer_line(folder):
    edit_ledger(folder, "run_started", lambda event: event.update(v=99))


@pytest.mark.parametrize("harm", [newer, newer_line])
def test_a_newer_record_is_refused(make, harm):
    baseline, candidate = make("one"), make("two")
    harm(candidate)
    with pytest.raises(UserError, match="record version 99.*update tunebench"):
        compare(baseline, candidate, settings=Settings())


@pytest.mark.parametrize(
    ("entrants", "says"),
    [
        (("Mine", "Mime"), "two has no entrant 'Mime': did you mean 'Mine'"),
        (("xyz",), "one has no entrant 'xyz': it has 'Mine', 'First'"),
        ((), "cannot be compared with itself"),
        (("Mine", "Mine"), "cannot be compared with itself"),
        (("Mine", "Mine", "Mine"), "once or twice, got 3"),
    ],
)
def test_entrants_that_there_are_not(make, entrants, says):
    baseline = make("one", MINE, actor(1, "First"))
    candidate = baseline if "itself" in says else make("two", MINE, actor(1, "Second"))
    with pytest.raises(UserError, match=says):
        compare(baseline, candidate, entrants=entrants, settings=Settings())


def test_nothing_in_common(make):
    with pytest.raises(UserError, match="no entrant in common: name one of each"):
        compare(make("one"), make("two", actor(1, "Other")), settings=Settings())
    other = make("three")
    text = (other / "run.json").read_text()
    (other / "run.json").write_text(text.replace('"lits_cls"', '"another"'))
    with pytest.raises(UserError, match="no task with 'Mine' in common"):
        compare(make("four"), other, settings=Settings())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"on": "train"}, "--on takes validation or test, got 'train'"),
        ({"alpha": 0.0}, "--alpha must lie"),
        ({"alpha": float("nan")}, "--alpha must lie"),
        ({"cost_margin": 0.0}, "--cost-margin is a ratio above 0"),
        ({"cost_margin": float("inf")}, "--cost-margin is a ratio above 0"),
    ],
)
def test_settings_out_of_range(settings, says):
    with pytest.raises(UserError, match=says):
        Settings(**settings)
