"""Seeds and spending of trainings with known numbers: quartiles, widths, seconds, sentences."""

import math
from types import SimpleNamespace as Facts

import numpy as np
import pandas as pd
import pytest

from results import seed_view, spending
from results.seed_table import MOST_BINS, assumptions, histograms, seed_variance
from results.stats import MIN_SEEDS
from results.stats.estimates import SURE_SEEDS

TASK = Facts(id="t", primary="accuracy", groups_known=True)


def seeded(*trainings, planned=None, sealed=False, **more):
    """A run of one entrant for each list of trainings: scores, or "failed" with a score."""
    held, entries = {}, []
    for place, scores in enumerate(trainings):
        replicates = {}
        for number, score in enumerate(scores):
            state = "completed"
            if isinstance(score, tuple):
                state, score = score
            replicates[number] = Facts(
                state=state,
                test_metrics={"accuracy": score},
                validation_metrics={"accuracy": None if score is None else score / 2},
            )
        held[f"s{place}"] = Facts(replicates=replicates)
        study = Facts(id=f"s{place}", label="ABC"[place], seeds=planned or len(scores))
        estimate = Facts(low=0.1, high=0.2, method="t", why="")
        entries.append(Facts(study=study, studies=[study], estimate=estimate, units=scores))
    given = {"splits": 1, "searches": 3, "unit": "seeds", "sealed": sealed} | more
    run = Facts(progress=held.__getitem__, **given)
    return run, Facts(task=TASK, entries=entries, comparisons=[])


SCORES = [0.1, 0.2, 0.3, 0.4, 0.9]


def test_order_statistics_and_spread_are_those_of_the_scores():
    (row,) = seed_variance(*seeded(SCORES)).to_dict("records")
    order = ("lowest", "lower_quartile", "median", "upper_quartile", "highest")
    assert [row[name] for name in order] == pytest.approx(SCORES)
    assert row["std"] == pytest.approx(np.std(SCORES, ddof=1))
    (row,) = seed_variance(*seeded(SCORES, sealed=True)).to_dict("records")
    assert row["split"] == "validation" and row["highest"] == pytest.approx(0.45)


def test_a_failed_training_has_no_score_whatever_it_recorded():
    trainings = [*SCORES, ("failed", 1.0), None, math.nan]
    (row,) = seed_variance(*seeded(trainings, planned=9)).to_dict("records")
    assert (row["scored"], row["failed"], row["missing"], row["planned"]) == (5, 1, 3, 9)
    assert row["highest"] == 0.9


def test_one_score_has_no_spread():
    (row,) = seed_variance(*seeded([0.5])).to_dict("records")
    assert row["median"] == 0.5 and math.isnan(row["std"])


def width(sample):
    """Freedman and Diaconis's."""
    return float(np.diff(np.histogram_bin_edges(sample, bins="fd")[:2])[0])


def test_all_histograms_share_the_median_width():
    rng = np.random.default_rng(0)
    samples = [list(0.5 + rng.normal(0, spread, 60)) for spread in (0.01, 0.02, 0.04)]
    table = histograms(*seeded(*samples))
    expected = sorted(map(width, samples))[1]
    assert (table["bin_high"] - table["bin_low"]).tolist() == pytest.approx([expected] * len(table))
    assert (table["bin_low"] / expected % 1).round(6).isin([0, 1]).all(), "multiples of it"
    tops = table.groupby("entrant")["seeds"].transform("max")
    assert table["height"].tolist() == pytest.approx((table["seeds"] / tops).tolist())


def test_an_outlier_does_not_make_bins_without_number():
    sample = [0.5 + n * 1e-6 for n in range(59)] + [0.9]
    table = histograms(*seeded(sample))
    assert len(table) <= MOST_BINS + 2 and table["seeds"].sum() == 60


def test_ten_scores_have_a_histogram_and_nine_have_none():
    ten = [n / 100 for n in range(10)]
    assert set(histograms(*seeded(ten, ten[:9]))["entrant"]) == {"A"}


def test_pairs_that_differ_are_counted():
    run, analysis = seeded(SCORES, SCORES)
    analysis.comparisons = [Facts(better="A"), Facts(better=None), Facts(better=None)]
    said = " ".join(assumptions(run, analysis))
    assert "3 pairs of entrants" in said and "differing at 5 %: 1, after Holm" in said
    analysis.comparisons = analysis.comparisons[:1]
    assert "1 pair of entrants" in " ".join(assumptions(run, analysis))


def test_what_few_seeds_and_one_search_leave_open_is_said():
    def said(*trainings, **more):
        return " ".join(assumptions(*seeded(*trainings, **more)))

    few = SCORES[:MIN_SEEDS]
    assert "end in two ways" in said(few) and "end in two ways" not in said(few[1:])
    assert "end in two ways" not in said([0.5] * SURE_SEEDS)
    assert "end in two ways" not in said(few, splits=3)
    assert "found by one search" in said(SCORES, searches=1)
    assert "found by one search" not in said(SCORES, searches=3)
    assert "trainings failed" not in said(SCORES)
    assert "2 of 7 trainings failed" in said([*SCORES, ("failed", None), ("failed", None)])


def test_the_caption_counts_what_has_no_point_of_what_was_planned():
    table = pd.DataFrame({"planned": [5, 3], "scored": [2, 3], "failed": [1, 0], "missing": [2, 0]})
    assert seed_view._failures(table) == "Not shown: 1 failed, 2 without a score, of 8 planned."
    assert seed_view._failures(table.tail(1)) == ""


# --- What was spent -------------------------------------------------------------------------


def training(state, *epochs):
    """Of so many charged seconds an epoch, and a quarter of them free."""
    reports = {n: {"charged_seconds": s, "free_seconds": s / 4} for n, s in enumerate(epochs, 1)}
    return Facts(state=state, reports=reports)


def spent(**more):
    """Two studies; the second is the dearer one."""
    both = {
        "s0": Facts(
            trials={0: training("completed", 100.0, 60.0), 1: training("running", 40.0)},
            replicates={0: training("completed", 400.0)},
            superseded={},
        ),
        "s1": Facts(
            trials={
                0: training("stopped", 200.0),
                1: training("stopped", 600.0, 200.0),
                2: training("failed", 400.0),
            },
            replicates={},
            superseded={0: training("failed", 2000.0)},
        ),
    }
    studies = {
        id: Facts(
            id=id, task="t", label=f"E{id}", name=f"E{id}", fold=None, search_number=0,
            time_budget_s=None,
        )
        for id in both
    }  # fmt: skip
    given = {
        "record": {"provenance": {"cpu": "A processor"}, "created": "2026-01-01T10:00:00+00:00"},
        "ended": "2026-01-01T13:00:00+00:00",
        "parts": (),
        "tasks": {"t": Facts(title="T")},
    }
    return Facts(studies=studies, progress=both.__getitem__, **given | more)


def test_seconds_epochs_and_trainings_are_summed_by_state():
    table = spending.spending(spent()).set_index(["study", "what", "state"])
    assert table["charged_seconds"].to_dict() == {
        ("s0", "search", "completed"): 160.0,
        ("s0", "search", "running"): 40.0,
        ("s0", "replicates", "completed"): 400.0,
        ("s1", "search", "stopped"): 1000.0,
        ("s1", "search", "failed"): 400.0,
        ("s1", "superseded", "failed"): 2000.0,
    }
    assert (table["free_seconds"] * 4).tolist() == table["charged_seconds"].tolist()
    assert table["epochs"].tolist() == [2, 1, 1, 3, 1, 1]
    assert table["trainings"].tolist() == [1, 1, 1, 2, 1, 1]


def test_each_second_is_in_its_part():
    run = spent()
    found = spending.view(run, spending.spending(run))
    assert [row["study"] for row in found["rows"]] == ["Es1", "Es0"], "the dearest first"
    parts = {name: found["total"][name] for name in spending.PARTS}
    assert parts == {
        "completed": 160, "stopped": 1000, "failed": 400, "open": 40, "replicates": 2400,
        "free": 1000,
    }  # fmt: skip
    assert found["total"]["all"] == 5000 and found["total"]["trainings"] == 7
    assert found["unit"] == "minutes"
    assert found["bars"]["amount"].sum() * 60 == pytest.approx(5000)


def test_the_sentence_has_hours_of_a_device_and_the_time_that_passed():
    run = spent()
    said = spending.view(run, spending.spending(run))["said"]
    assert said.startswith("1.4 CPU-hours (A processor): 1 h 06 min charged, 16 min 40 s free.")
    assert said.endswith("breaks included, it took 3 h 00 min.")
    several = spent(parts=(1, 2))
    assert "breaks included" not in spending.view(several, spending.spending(several))["said"]
    unknown = spent(ended="")
    assert "breaks included" not in spending.view(unknown, spending.spending(unknown))["said"]


def test_parts_in_which_nothing_was_spent_are_left_out():
    run = spent()
    table = spending.spending(run)
    found = spending.view(run, table[table["what"] != "search"])
    assert [part for part, _ in found["parts"]] == ["replicates", "free"]
    assert set(found["bars"]["part"]) == {"replicates", "validation, set-up"}


@pytest.mark.parametrize(
    ("longest", "unit"), [(119.9, "seconds"), (120, "minutes"), (7199, "minutes"), (7200, "hours")]
)
def test_units_change_at_two_of_the_next(longest, unit):
    name, seconds = spending._unit(longest)
    assert name == unit and seconds == {"seconds": 1, "minutes": 60, "hours": 3600}[unit]
