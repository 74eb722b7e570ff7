from bench.folders import openings_register
from bench.ledger import register_opening
from results import tables
from results.load import load_run


def test_openings_count_this_run_once_and_others(make_run):
    run = load_run(make_run())
    for name in (run.name, run.name, "other", "other", "third"):
        register_opening(openings_register(), fingerprint="60303ae22b99", run=name)
    register_opening(openings_register(), fingerprint="different", run="fourth")
    row = tables.openings(run).iloc[0]
    assert (row["openings_here"], row["openings"], row["runs"]) == (6, 9, 3)


def test_groups_are_not_counted_where_they_are_unknown(make_run):
    data = tables.data(load_run(make_run(groups_known=False)))
    assert data["groups"].isna().all() and not data["groups_known"].any()
    assert data["class_counts"].iloc[0].startswith("no liver 1")


def test_provenance_tells_what_it_knows(make_run):
    told = tables.provenance(load_run(make_run())).set_index("what")["value"]
    assert told["code"] == "0123456789abcdef, with uncommitted changes"
    assert told["notthere"] == "not installed" and told["accelerators"] == "A GPU"
