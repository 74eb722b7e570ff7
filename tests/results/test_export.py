"""Exported tables: four, the same in both formats, marked, and without formulas."""

import pandas as pd
import pytest

from results.export import export_tables, tables
from results.load import load_run
from tests.results.synthetic import CAST

NAMES = ("trials", "epochs", "replicates", "rungs")


def test_the_tables_hold_what_the_ledger_holds(make_run):
    run = load_run(make_run())
    found = tables(run)
    assert tuple(found) == NAMES
    studies = run.state.studies.values()
    assert len(found["trials"]) == sum(len(study.trials) for study in studies)
    assert len(found["replicates"]) == sum(len(study.replicates) for study in studies)
    trained = [t for s in studies for t in (*s.trials.values(), *s.replicates.values())]
    assert len(found["epochs"]) == sum(len(one.reports) for one in trained)
    row = found["trials"].iloc[3]
    trial = run.state.studies[row["study"]].trials[3]
    assert row["validation"] == trial.best()[0] and row["best_epoch"] == trial.best()[1]
    assert row["config_learning_rate"] == trial.config["learning_rate"]
    assert found["trials"]["winner"].sum() == 2


@pytest.mark.parametrize("phantom", [True, False])
def test_both_formats_say_the_same_and_whether_the_data_are_real(make_run, tmp_path, phantom):
    run = make_run(phantom=phantom)
    export_tables(run, tmp_path / "c", to="csv")
    export_tables(run, tmp_path / "p", to="parquet")
    for name in NAMES:
        csv = pd.read_csv(tmp_path / "c" / f"{name}.csv")
        parquet = pd.read_parquet(tmp_path / "p" / f"{name}.parquet")
        assert list(csv.columns) == list(parquet.columns) and len(csv) == len(parquet)
        assert set(csv["data"]) | set(parquet["data"]) <= {"phantom" if phantom else "real"}
    left, right = (
        table["validation"].to_numpy()
        for table in (
            pd.read_csv(tmp_path / "c" / "epochs.csv"),
            pd.read_parquet(tmp_path / "p" / "epochs.parquet"),
        )
    )
    assert (left == right).all()


def test_no_cell_starts_a_formula(make_run, tmp_path):
    export_tables(make_run(CAST), tmp_path / "c", to="csv")
    text = (tmp_path / "c" / "trials.csv").read_text()
    assert "HYPERLINK" in text
    table = pd.read_csv(tmp_path / "c" / "trials.csv")
    assert not table["entrant"].str.startswith("=").any()


def test_columns_of_mixed_types_can_be_written(make_run, tmp_path):
    run = make_run()
    path = run / "ledger.jsonl"
    path.write_text(path.read_text().replace('"optimizer": "adamw"', '"optimizer": true', 1))
    export_tables(run, tmp_path / "p", to="parquet")
    table = pd.read_parquet(tmp_path / "p" / "trials.parquet")
    assert set(table["config_optimizer"]) == {"True", "adamw"}


def test_an_epoch_without_a_metric_that_others_have_is_empty_there(make_run):
    run = load_run(make_run())
    study = next(iter(run.state.studies.values()))
    trial = study.trials[1]
    trial.reports[1] = trial.reports[1] | {"metrics": {"late": 0.25}, "score": None}
    table = tables(run)["epochs"]
    of = (table["study"] == study.id) & (table["kind"] == "trial") & (table["number"] == 1)
    assert table["metric_late"].dropna().tolist() == [0.25]
    (row,) = table[of & (table["epoch"] == 1)].to_dict("records")
    assert row["metric_late"] == 0.25 and row["charged_seconds"] > 0
    assert pd.isna(row["validation"]) and pd.isna(row["metric_macro_f1"])
    assert table["epoch"].tolist()[: len(study.trials[0].reports)] == sorted(
        study.trials[0].reports
    )
