"""What a candidate costs beside a baseline."""

import json
import math

import pytest

from results.cost import CostVerdict, costs
from results.load import load_run
from tests.results.synthetic import Actor, write_run


@pytest.fixture
def side(tmp_path):
    """A run and its replicates, as costs are taken from them."""

    def side(name, *, seconds=10.0, memory=None, edit=lambda record: None):
        actor = Actor(label="Mine", charged_seconds=seconds, peak_memory_mb=memory)
        folder = write_run(tmp_path / name, [actor], patients=2, per_patient=4, trials=2)
        record = json.loads((folder / "run.json").read_text())
        edit(record)
        (folder / "run.json").write_text(json.dumps(record))
        run = load_run(folder)
        (study,) = run.of_task("lits_cls")
        return run, list(run.progress(study.id).replicates.values())

    return side


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(9.0, CostVerdict.WITHIN), (11.0, CostVerdict.WITHIN), (11.1, CostVerdict.MORE)],
)
def test_a_cost_is_held_against_the_margin(side, seconds, expected):
    time, memory = costs(side("one"), side("two", seconds=seconds), margin=1.1)
    assert time.name == "charged_seconds" and time.verdict is expected
    assert time.ratio == pytest.approx(seconds / 10)
    assert memory.verdict is CostVerdict.NOT_MEASURED and math.isnan(memory.ratio)
    assert memory.why == "not recorded for the baseline"


def test_memory_is_held_against_the_margin(side):
    _, memory = costs(side("one", memory=100.0), side("two", memory=150.0), margin=1.1)
    assert memory.verdict is CostVerdict.MORE and memory.ratio == 1.5
    _, memory = costs(side("three", memory=100.0), side("four"), margin=1.1)
    assert memory.why == "not recorded for the candidate"


def test_one_slow_replicate_is_not_the_cost(side):
    run, replicates = side("two")
    replicates[1].cost["charged_seconds"] = 500.0
    time, _ = costs(side("one"), (run, replicates), margin=1.1)
    assert time.verdict is CostVerdict.WITHIN and time.ratio == 1.0


def test_seconds_on_other_hardware_are_not_compared(side):
    def other(record):
        record["provenance"]["gpus"] = [{"name": "Another GPU"}]

    time, memory = costs(
        side("one", memory=100.0), side("two", memory=100.0, edit=other), margin=1.1
    )
    assert time.verdict is CostVerdict.NOT_MEASURED
    assert time.why == "other hardware: GPU A GPU / Another GPU"
    assert memory.verdict is CostVerdict.WITHIN
