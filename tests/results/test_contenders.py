"""Several searches and splits: what the result is repeated by, and what is said of it."""

import math

import numpy as np
import pytest

from results import methods, sentences
from results.analysis import analyse
from results.compare import Settings, compare
from results.gate import Verdict
from results.leaderboard import leaderboard
from results.load import load_run
from tests.results.synthetic import Actor, write_run

RIVALS = (
    Actor(label="Steady", quality=1.6, search_spread=0.02),
    Actor(label="Moody", quality=1.5, search_spread=0.4),
)


def analysed(folder):
    return analyse(load_run(folder), "lits_cls")


def by_label(analysis):
    return {entry.study.label: entry for entry in analysis.entries}


def test_several_searches_are_the_units_and_their_spread_widens_the_interval(make_run):
    entries = by_label(analysed(make_run(RIVALS, searches=4, seeds=3)))
    steady, moody = entries["Steady"], entries["Moody"]
    assert len(moody.units) == 4 and len(moody.scores) == 12 and len(moody.studies) == 4
    means = moody.scores.reshape(4, 3).mean(axis=1)
    np.testing.assert_allclose(moody.units, means)
    assert moody.estimate.value == pytest.approx(means.mean())
    assert moody.estimate.search_variance > 4 * moody.estimate.seed_variance
    assert moody.estimate.high - moody.estimate.low > 2 * (
        steady.estimate.high - steady.estimate.low
    )
    assert math.isnan(moody.estimate.split_variance)


def test_ten_searches_are_bootstrapped_by_search(make_run):
    analysis = analysed(make_run(RIVALS, searches=10, seeds=1, trials=3))
    assert analysis.bootstrapped
    assert {entry.estimate.method for entry in analysis.entries} == {"bootstrap"}
    assert [len(entry.units) for entry in analysis.entries] == [10, 10]


def test_the_splits_of_a_k_fold_are_the_units(make_run):
    analysis = analysed(make_run(RIVALS, splits=5, seeds=2, patients=8))
    entries = by_label(analysis)
    steady = entries["Steady"]
    assert len(steady.units) == 5 and len(steady.scores) == 10
    assert steady.estimate.degrees == 4 and steady.estimate.method == "t"
    assert analysis.patients == 40, "each patient is tested once"
    variance = (1 / 5 + 1 / 4) * steady.units.var(ddof=1)
    reach = 2.7764451051977987 * math.sqrt(variance)
    assert steady.estimate.high == pytest.approx(min(1, steady.units.mean() + reach))
    assert entries["Moody"].estimate.split_variance > 0


def test_a_split_that_failed_costs_the_interval_and_says_why(make_run):
    folder = make_run(RIVALS, splits=3, seeds=2)
    text = (folder / "ledger.jsonl").read_text().splitlines()
    last = load_run(folder).of_task("lits_cls")[2]
    kept = [line for line in text if not ('"replicate"' in line and last.id in line)]
    (folder / "ledger.jsonl").write_text("\n".join(kept) + "\n")
    entry = by_label(analysed(folder))["Steady"]
    assert entry.tier is None and math.isnan(entry.estimate.low)
    assert "2 of 3 splits" in entry.estimate.why


def test_the_wording_follows_what_was_repeated(make_run, tmp_path):
    def said(name, **more):
        run = load_run(write_run(tmp_path / name, RIVALS, **more))
        analysis = analyse(run, "lits_cls")
        return sentences.verdict(run, analysis).text, " ".join(methods.protocol(run, [analysis]))

    once, _ = said("once", seeds=5)
    assert "of the configurations that were found, not of the models as such" in once
    searched, protocol = said("searched", searches=3, seeds=2)
    assert "searched 3 times, independently: this speaks of the models" in searched
    assert "3 searches of 2 seeds" in searched and "configurations that were found" not in searched
    assert "between searches, and between patients" in protocol
    split, protocol = said("split", splits=3, seeds=1)
    assert "3 splits of 1 seed" in split and "no estimate of its variance is unbiased" in split
    assert "Nadeau & Bengio" in protocol and "dealt at random into 3 parts" in protocol


def test_the_leaderboard_adds_up_all_searches(make_run):
    run = load_run(make_run(RIVALS, searches=3, seeds=2, trials=4))
    table = leaderboard(run, analyse(run, "lits_cls")).set_index("entrant")
    row = table.loc["Moody"]
    assert (row["seeds"], row["seeds_planned"], row["searches"], row["splits"]) == (6, 6, 3, 1)
    assert row["trials_completed"] + row["trials_stopped"] == 12
    assert row["search_variance"] > 0 and math.isnan(row["split_variance"])


def test_the_gate_compares_what_was_searched_alike(make_run, tmp_path):
    kind = {"searches": 3, "seeds": 2, "validation": True}
    baseline = make_run(RIVALS, **kind)
    worse = tuple(Actor(label=one.label, quality=one.quality - 1) for one in RIVALS)
    candidate = write_run(tmp_path / "runs" / "candidate", worse, salt="c", **kind)
    outcome = compare(baseline, candidate, entrants=["Steady"], settings=Settings())
    (finding,) = outcome.findings
    assert finding.verdict is Verdict.REGRESSED and finding.unit == "searches"
    assert finding.seeds == finding.planned == (6, 6)
    once = write_run(tmp_path / "runs" / "once", RIVALS, seeds=6, validation=True)
    other = compare(baseline, once, entrants=["Steady"], settings=Settings())
    assert other.exit_code == 5
    assert "replicates.searches" in [d.field for d in other.findings[0].differing]


def test_the_gate_reads_every_split_and_registers_each_test_set(make_run, tmp_path):
    kind = {"splits": 3, "seeds": 2, "patients": 12}
    baseline = make_run(RIVALS, **kind)
    candidate = write_run(tmp_path / "runs" / "candidate", RIVALS, salt="c", **kind)
    outcome = compare(baseline, candidate, entrants=["Steady"], settings=Settings(on="test"))
    (finding,) = outcome.findings
    assert finding.patients == 36 and finding.unit == "splits"
    assert finding.verdict in (Verdict.NOT_WORSE, Verdict.INCONCLUSIVE)
    assert len(outcome.openings) == 3
