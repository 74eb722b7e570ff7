"""What a run spent, by study and by what became of it."""

import pytest

from results import figures, spending
from results.load import load_run
from results.report import write_report
from tests.results.synthetic import CAST, PAIR, Actor
from tests.results.test_report import Page, rows


def test_every_reported_second_is_in_one_row(make_run):
    run = load_run(make_run(CAST, time_budgets=(10.0,)))
    table = spending.spending(run)
    every = [
        one
        for study in run.studies
        for one in (
            *run.progress(study).trials.values(),
            *run.progress(study).replicates.values(),
        )
    ]
    assert table["trainings"].sum() == len(every)
    assert table["charged_seconds"].sum() == pytest.approx(sum(o.charged_seconds for o in every))
    assert table["free_seconds"].sum() == pytest.approx(sum(o.free_seconds for o in every))
    assert {10.0} == set(table["time_budget_s"].dropna())
    of_search = table[table["what"] == "search"]
    assert set(of_search["state"]) == {"completed", "stopped", "failed"}


def test_replicates_of_an_earlier_winner_are_paid_for(make_run):
    run = load_run(make_run())
    progress = run.progress("lits_cls-0")
    before = spending.view(run, spending.spending(run))["total"]
    progress.superseded, progress.replicates = progress.replicates, {}
    table = spending.spending(run)
    assert "superseded" in set(table["what"])
    assert spending.view(run, table)["total"] == pytest.approx(before)


def test_parts_add_up_and_the_dearest_is_first(make_run):
    run = load_run(make_run(CAST))
    found = spending.view(run, spending.spending(run))
    totals = [row["all"] for row in found["rows"]]
    assert totals == sorted(totals, reverse=True)
    for row in [*found["rows"], found["total"]]:
        assert sum(row[part] for part in spending.PARTS) == pytest.approx(row["all"])
    assert found["bars"]["amount"].sum() * 60 == pytest.approx(found["total"]["all"])
    assert found["unit"] == "minutes" and found["device"] == "GPU"


def test_many_studies_are_summed(make_run):
    cast = [Actor(label=f"E{n}") for n in range(spending.SHOWN + 3)]
    run = load_run(make_run(cast, trials=2, seeds=1, patients=4, per_patient=4))
    found = spending.view(run, spending.spending(run))
    assert len(found["rows"]) == spending.SHOWN + 1
    assert found["rows"][-1]["study"] == "3 more studies"
    assert sum(row["all"] for row in found["rows"]) == pytest.approx(found["total"]["all"])


@pytest.mark.parametrize(("longest", "unit"), [(10, "seconds"), (121, "minutes"), (8e3, "hours")])
def test_a_bar_is_measured_in_what_suits_it(longest, unit):
    assert spending._unit(longest)[0] == unit


def test_the_page_tells_the_cost(make_run):
    folder = make_run(CAST)
    page = Page(write_report(folder).read_text())
    assert "cost" in page.ids and "#cost" in page.links
    assert "GPU-hours (A GPU)" in page.text and "GPU-time by study and state" in page.text
    assert len(rows(folder, "cost")) == len(spending.spending(load_run(folder)))


def test_without_a_gpu_it_is_cpu_time(make_run):
    run = load_run(make_run())
    run.record["provenance"]["gpus"] = []
    said = spending.view(run, spending.spending(run))["said"]
    assert "CPU-hours (A processor)" in said and "GPU" not in said


def test_a_run_that_has_not_begun_costs_nothing(make_run):
    run = load_run(make_run(PAIR))
    run.state.studies.clear()
    found = spending.view(run, spending.spending(run))
    assert found["rows"] == [] and found["bars"].empty
    figures.spending(found["bars"], unit=found["unit"])


def test_the_figure_stacks_the_parts_and_escapes_names(make_run):
    run = load_run(make_run(CAST))
    found = spending.view(run, spending.spending(run))
    figure = figures.spending(found["bars"], unit=found["unit"])
    assert figure.layout.barmode == "stack" and len(figure.data) == len(found["parts"])
    assert not any("<b>" in name for trace in figure.data for name in trace.y)
