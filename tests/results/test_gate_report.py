"""An outcome as text, JSON and Markdown."""

import json
import re

import pytest

from bench.errors import UserError
from results import gate_report
from results.compare import Settings, compare
from tests.results.synthetic import Actor, write_run

SMALL = {"patients": 12, "per_patient": 12, "trials": 3, "validation": True}
HOSTILE = "a|b `c` <img src=x> @all [x](https://e.org)\n# h"


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """A regression, an open question, and one that was not measured."""
    folder = tmp_path_factory.mktemp("gate")
    quality = {"Worse": (1.5, 0.6), HOSTILE: (1.5, 1.52), "Short": (1, 1)}

    def run(name, side):
        actors = [
            Actor(
                label=label,
                quality=both[side],
                seed_spread=0.02,
                finished=2 if label == "Short" else None,
                charged_seconds=10.0 * (1 + side),
            )
            for label, both in quality.items()
        ]
        return write_run(folder / name, actors, salt=name, **SMALL)

    return compare(run("old", 0), run("new", 1), settings=Settings())


@pytest.fixture(scope="module")
def unlike(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unlike")
    folders = [write_run(folder / n, [Actor(label="A")], **SMALL) for n in ("old", "new")]
    record = json.loads((folders[1] / "run.json").read_text())
    record["data"]["lits_cls"]["fingerprint"] = "another"
    record["phantom"] = False
    (folders[1] / "run.json").write_text(json.dumps(record))
    return compare(*folders, settings=Settings())


def test_text_says_verdict_difference_seeds_and_cost(outcome):
    text = gate_report.as_text(outcome)
    assert re.search(r"\n  regressed: Macro F1 −0\.\d+, at least −0\.\d+, at most −0\.\d+", text)
    assert "3 and 3 seeds, 12 patients; p for regressed" in text and "(t)" in text
    assert "training time: 10 to 20 s, 2.00 times: costs more" in text
    assert "not measured: old, Short: 2 of at least 3 seeds" in text
    assert text.splitlines()[-1].startswith("overall: regressed, of 3 comparisons with Holm")
    forecast = outcome.findings[1].contrast
    assert (
        f"about {forecast.seeds_needed} seeds" if forecast.seeds_needed else forecast.why
    ) in text


def test_differing_fields_are_named_with_both_values(unlike):
    for text in (gate_report.as_text(unlike), gate_report.as_markdown(unlike).replace("\\", "")):
        said = 'the protocols differ: data.fingerprint "9f86d081884c" / "another"; phantom true / '
        assert said + "false" in text
    (found,) = json.loads(gate_report.as_json(unlike))["comparisons"]
    assert found["differing"][1] == {"field": "phantom", "baseline": True, "candidate": False}


def test_generated_data_are_said_in_every_form(outcome, unlike):
    for one in (outcome, unlike):
        assert gate_report.as_text(one).startswith("PHANTOM")
        assert "**PHANTOM.**" in gate_report.as_markdown(one)
        assert json.loads(gate_report.as_json(one))["phantom"] is True


def test_json_holds_all_numbers_and_null_for_none(outcome):
    read = json.loads(gate_report.as_json(outcome))
    assert (read["verdict"], read["exit_code"], read["on"]) == ("regressed", 3, "validation")
    worse, _, short = read["comparisons"]
    assert worse["lower"] < worse["difference"] < worse["upper"] < -worse["margin"]
    assert worse["costs"][0]["ratio"] == 2.0
    assert (short["verdict"], short["lower"], short["costs"]) == ("not measured", None, [])


def test_markdown_shows_names_as_they_are(outcome):
    rows = [line for line in gate_report.as_markdown(outcome).splitlines() if line[:1] == "|"]
    assert len(rows) == 2 + 3
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {10}
    row = rows[3]
    assert r"a\|b \`c\` \<img src=x\>" in row and "@all" not in row and "://" not in row


def test_an_unwritable_file_is_named(outcome, tmp_path):
    with pytest.raises(UserError, match="--markdown .*cannot be written"):
        gate_report.write_markdown(tmp_path / "nowhere" / "x.md", outcome)
