"""Several runs of one protocol as one run: the union of their studies, for one report.

run = merge([Path("runs/first"), Path("runs/second")])
run.parts, run.home(study_id)

All entrants stand in one analysis then: one Holm adjustment, one set of tiers. An entrant that
several runs have appears once for each, as "ResNet-18 (run A)", "ResNet-18 (run B)".
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UserError
from bench.ledger import Event, RunState, StudyState
from results import tables
from results.load import Run, StudyFacts, load_run
from results.protocol import Difference, differences

if TYPE_CHECKING:
    import pandas as pd

LONGEST_VALUE = 80
"""Characters of a differing value that are shown."""
Names = Sequence[Mapping[str, str]]
"""Of each run: what is called what in the merged run."""


def merge(folders: Sequence[Path]) -> Run:
    """The runs in these folders, two at least, as one.

    Raises UserError where a folder holds no run that can be read, where one is named twice, and
    where a run is of another protocol than the first, with the fields in which they differ.
    """
    runs = [load_run(folder) for folder in folders]
    _refuse_twins(runs)
    for other in runs[1:]:
        if found := differing(runs[0], other):
            fields = ", ".join(map(_words, found))
            raise UserError(
                f"{other.folder} is of another protocol than {runs[0].folder}: {fields}: only runs "
                "of one protocol are merged; report them one by one"
            )
    labels = _unique([_labels(run) for run in runs], " (run {})")
    ids = _unique([list(run.studies) for run in runs], "-run-{}")
    studies = {
        new: replace(study, id=new, label=labels[number][study.label])
        for number, run in enumerate(runs)
        for study in run.studies.values()
        for new in [ids[number][study.id]]
    }
    return Run(
        folder=runs[0].folder,
        record=_record(runs, labels, ids),
        tasks={id: facts for run in runs for id, facts in run.tasks.items()},
        studies=studies,
        state=_state(runs, labels, ids),
        ended=max(run.ended for run in runs),
        parts=tuple(runs),
        homes={
            new: run.folder for run, names in zip(runs, ids, strict=True) for new in names.values()
        },
    )


def differing(first: Run, other: Run) -> list[Difference]:
    """The fields in which two runs' protocols differ, the number of seeds included: an entrant with
    more of them would have the narrower interval."""
    mine, theirs = _of_run(first), _of_run(other)
    found = {
        field: Difference(field=field, baseline=mine[field], candidate=theirs[field])
        for field in mine
        if mine[field] != theirs[field]
    }
    ours, others = _kinds(first), _kinds(other)
    for kind, study in ours.items():
        if kind in others:
            for one in differences((first, study), (other, others[kind])):
                found.setdefault(one.field, one)
    return list(found.values())


def _of_run(run: Run) -> dict[str, Any]:
    """What of a protocol is the whole run's."""
    replicates: dict[str, Any] = {"searches": 1, "splits": 1} | dict(run.suite["replicates"])
    return {
        "tasks": sorted(run.tasks),
        "phantom": run.phantom,
        "scale": run.record.get("scale"),
        "sealed": run.sealed,
        "primary": run.suite.get("primary", "mean_difference"),
        "replicates.seeds": sorted({study.seeds for study in run.studies.values()}),
        "replicates.searches": replicates["searches"],
        "replicates.splits": replicates["splits"],
        "replicates.time_budgets_s": list(replicates.get("time_budgets_s") or []),
    }


def _kinds(run: Run) -> dict[tuple[Any, ...], StudyFacts]:
    """A study of each task, split and time budget: what all entrants' are alike in."""
    found: dict[tuple[Any, ...], StudyFacts] = {}
    for study in run.studies.values():
        found.setdefault((study.task, study.fold, study.time_budget_s), study)
    return found


def _words(difference: Difference) -> str:
    sides = [str(side) for side in (difference.baseline, difference.candidate)]
    cut = [
        side if len(side) <= LONGEST_VALUE else side[: LONGEST_VALUE - 1] + "…" for side in sides
    ]
    return f"{difference.field} {' / '.join(cut)}"


def _refuse_twins(runs: Sequence[Run]) -> None:
    seen: dict[Any, Run] = {}
    for run in runs:
        for key in (run.folder.resolve(), (run.name, run.record.get("created"))):
            if seen.setdefault(key, run) is not run:
                raise UserError(
                    f"{run.folder} is the same run as {seen[key].folder}: name each run once"
                )


# --- names ---


def letter(number: int) -> str:
    """How the run of this number is called: A, B, ..., Z, AA, AB, ..."""
    text, left = "", number + 1
    while left:
        left, place = divmod(left - 1, len(string.ascii_uppercase))
        text = string.ascii_uppercase[place] + text
    return text


def _labels(run: Run) -> list[str]:
    """Of entrants, and of models made elsewhere."""
    planned = [study.label for study in run.studies.values()]
    return list(dict.fromkeys([*planned, *(event["label"] for event in run.state.outside)]))


def _unique(names: Sequence[Sequence[str]], mark: str) -> list[dict[str, str]]:
    """Of each run, its names in the merged run: those that several runs have are marked."""
    times = Counter(name for of_run in names for name in of_run)
    taken = {name for name, number in times.items() if number == 1}
    found: list[dict[str, str]] = []
    for number, of_run in enumerate(names):
        found.append({})
        for name in of_run:
            new = name
            if times[name] > 1:
                new += mark.format(letter(number))
                while new in taken:
                    new += "'"
                taken.add(new)
            found[-1][name] = new
    return found


# --- the merged run ---


def _record(runs: Sequence[Run], labels: Names, ids: Names) -> dict[str, Any]:
    """run.json as one that held all of them would be. Of the provenance, what all share."""
    known = [run.record["provenance"] for run in runs]
    shared = {
        key: value
        for key, value in known[0].items()
        if all(key in other and other[key] == value for other in known)
    }
    gpus = [gpu for facts in known for gpu in facts.get("gpus") or []]
    shared["gpus"] = [gpu for n, gpu in enumerate(gpus) if gpu not in gpus[:n]]
    return {
        **runs[0].record,
        "run": " + ".join(run.name for run in runs),
        "created": min(str(run.record.get("created", "")) for run in runs),
        "suite": _suite(runs, labels),
        "studies": [
            {**facts, "id": ids[number][facts["id"]], "entrant": _relabelled(facts["entrant"], of)}
            for number, (run, of) in enumerate(zip(runs, labels, strict=True))
            for facts in run.record["studies"]
        ],
        "tasks": _united(runs, "tasks"),
        "data": _united(runs, "data"),
        "plugins": _united(runs, "plugins"),
        "weights": {
            of.get(id, id): found
            for run, of in zip(runs, ids, strict=True)
            for id, found in (run.record.get("weights") or {}).items()
        },
        "sealed": runs[0].sealed,
        "notes": _notes(runs),
        "provenance": shared,
    }


def _suite(runs: Sequence[Run], labels: Names) -> dict[str, Any]:
    joined = {
        key: " + ".join(dict.fromkeys(str(run.suite[key]) for run in runs))
        for key in ("id", "title")
    }
    entrants = [
        _relabelled(entrant, of)
        for run, of in zip(runs, labels, strict=True)
        for entrant in run.suite.get("entrants", ())
    ]
    return {**runs[0].suite, **joined, "entrants": entrants}


def _relabelled(entrant: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    label = entrant["label"]
    return {**entrant, "label": labels.get(label, label)}


def _united(runs: Sequence[Run], key: str) -> dict[str, Any]:
    """What they say by name; of one name, what the first says."""
    found: dict[str, Any] = {}
    for run in runs:
        for name, facts in (run.record.get(key) or {}).items():
            found.setdefault(name, facts)
    return found


def _notes(runs: Sequence[Run]) -> list[str]:
    """Which run is which, and what each says of itself; what all say stands once."""
    named = ", ".join(f"run {letter(number)} is {run.name}" for number, run in enumerate(runs))
    notes = [f"Merged from {len(runs)} runs of one protocol: {named}."]
    told = [list(run.record.get("notes", [])) for run in runs]
    for number, run in enumerate(runs):
        if run.state.unsealing is not None:
            day = run.state.unsealing["t"][:10]
            told[number].append(f"begun sealed; its test splits were opened on {day}.")
    common = [note for note in told[0] if all(note in other for other in told)]
    notes += common
    for number, said in enumerate(told):
        notes += [f"Run {letter(number)}: {note}" for note in said if note not in common]
    return notes


def _state(runs: Sequence[Run], labels: Names, ids: Names) -> RunState:
    state = RunState(sealed=runs[0].sealed)
    for run, of, called in zip(runs, labels, ids, strict=True):
        for id, progress in run.state.studies.items():
            if id in called:
                label = of[run.studies[id].label]
                state.studies[called[id]] = _progress(progress, called[id], label)
        state.started = state.started or run.state.started
        state.resumes += run.state.resumes
        state.extensions += run.state.extensions
        state.unsealed += [
            {**event, "study": called.get(event["study"], event["study"])}
            for event in run.state.unsealed
        ]
        state.outside += [_outside(event, of, run.folder) for event in run.state.outside]
    ends = [run.state.finished for run in runs if run.state.finished is not None]
    if len(ends) == len(runs):
        failed = any(end["state"] == "failed" for end in ends)
        state.finished = {**ends[-1], "state": "failed" if failed else "completed"}
    return state


def _progress(progress: StudyState, id: str, label: str) -> StudyState:
    replicates = {n: replace(one, entrant=label) for n, one in progress.replicates.items()}
    return replace(progress, id=id, replicates=replicates)


def _outside(event: Event, labels: Mapping[str, str], folder: Path) -> Event:
    """A scoring of predictions made elsewhere, with the folder of the run that keeps them."""
    return {**event, "label": labels[event["label"]], "home": str(folder)}


def provenance(run: Run) -> pd.DataFrame:
    """What a run ran on and with, as `what` and `value`; of a merged run what differs, by run."""
    if not run.parts:
        return tables.provenance(run)
    said: dict[str, dict[int, str]] = {}
    for number, part in enumerate(run.parts):
        for row in tables.provenance(part).to_dict("records"):
            of_run = said.setdefault(row["what"], {})
            before = f"{of_run[number]}; " if number in of_run else ""
            of_run[number] = f"{before}{row['value']}"
    rows = []
    for what, values in said.items():
        if len(values) == len(run.parts) and len(set(values.values())) == 1:
            rows.append({"what": what, "value": values[0]})
            continue
        rows += [
            {"what": f"{what}, run {letter(number)}", "value": value}
            for number, value in values.items()
        ]
    return tables.frame(rows, "what value")
