"""What is missing from a run, each with its reason: nothing is silently left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from bench.ledger import Replicate, StudyState, Trial
from results.analysis import Entry, TaskAnalysis
from results.load import Run, StudyFacts
from results.stats import MIN_SEEDS

if TYPE_CHECKING:
    import pandas as pd

_Hole = tuple[str, str, str]
"""What, why in one line, and the whole error where there is more."""


def holes(run: Run, analyses: Sequence[TaskAnalysis]) -> pd.DataFrame:
    """One row a hole: task, entrant, what is missing, why, and details (an error in full)."""
    import pandas as pd

    rows = []
    for analysis in analyses:
        for entry in analysis.entries:
            for study in entry.studies:
                for what, why, details in _of_study(run, study, analysis):
                    rows.append((analysis.task.title, study.name, what, why, details))
            if _explains(entry):
                why = entry.estimate.why
                rows.append((analysis.task.title, entry.study.label, "no interval", why, ""))
    return pd.DataFrame(rows, columns=["task", "entrant", "what", "why", "details"])


def _of_study(run: Run, study: StudyFacts, analysis: TaskAnalysis) -> Iterator[_Hole]:
    progress = run.progress(study.id)
    if progress.state == "failed":
        yield "the whole study failed", cause(progress.why), _more(progress.why)
    elif progress.state == "running":
        yield "search not finished", _spent(study, progress), ""
    yield from _trials(progress)
    yield from _superseded(progress)
    if run.sealed and progress.state != "failed":
        yield "test scores", f"sealed: `bench unseal {run.home(study.id)}` opens the test split", ""
    if progress.state == "completed":
        yield from _replicates(run, study, progress)
    for problem in analysis.problems:
        if problem.study.id == study.id:
            yield f"no patient variance from seed {problem.number + 1}", problem.what, ""


def _spent(study: StudyFacts, progress: StudyState) -> str:
    """How much of its effort a search has spent."""
    planned = study.effort_planned
    if study.in_seconds:
        return f"{progress.charged_seconds:.0f} of {planned:g} charged seconds spent"
    return f"{progress.effort} of {planned:g} epochs spent"


def _superseded(progress: StudyState) -> Iterator[_Hole]:
    """Replicates of an earlier winner: no result, and their test scores may have been seen."""
    if not progress.superseded:
        return
    if progress.state == "running":
        since = "the search goes on; they count again if that configuration wins again"
    elif progress.winner is None:
        since = "the search went on and failed"
    else:
        since = "the search went on and has another winner"
    opened = sum(replicate.unsealed for replicate in progress.superseded.values())
    seen = f"opened {opened} time{'s' * (opened != 1)} for it" if opened else "not opened for it"
    several = "s" * (len(progress.superseded) > 1)
    numbers = _numbers(number + 1 for number in progress.superseded)
    why = f"trained for an earlier winner: {since}; the test set was {seen}"
    yield f"seed{several} {numbers} superseded", why, ""


def _explains(entry: Entry) -> bool:
    """Whether a lacking interval has a reason that missing seeds do not give already."""
    planned = sum(study.seeds for study in entry.studies)
    missing = len(entry.scores) < min(MIN_SEEDS, planned)
    return bool(entry.estimate.why and len(entry.scores) and not missing)


def _trials(progress: StudyState) -> Iterator[_Hole]:
    """Failed trials, those of one reason and error together."""
    alike: dict[tuple[str, str], list[Trial]] = {}
    for trial in progress.trials.values():
        if trial.state == "failed":
            alike.setdefault((trial.reason, trial.error or ""), []).append(trial)
    for (reason, error), failed in alike.items():
        numbers = _numbers(trial.number for trial in failed)
        what = f"trial {numbers} failed" if len(failed) == 1 else f"trials {numbers} failed"
        why = ": ".join(filter(None, [one_line(reason), cause(error)]))
        yield what, why or "no reason recorded", _more(error)


def _replicates(run: Run, study: StudyFacts, progress: StudyState) -> Iterator[_Hole]:
    apart = progress.superseded
    end = max([study.seeds + len(apart), *(number + 1 for number in progress.replicates)])
    for number in (number for number in range(end) if number not in apart):
        replicate = progress.replicates.get(number)
        name = f"seed {number + 1}" if apart else f"seed {number + 1} of {study.seeds}"
        if replicate is None:
            yield f"{name} missing", "not started" if not run.finished else "never started", ""
        elif replicate.state == "failed":
            error = replicate.error or "no reason recorded"
            yield f"{name} failed", cause(error), _more(error)
        elif replicate.state == "running":
            yield f"{name} unfinished", f"trained for {replicate.epoch} epochs so far", ""
        elif run.sealed and replicate.state == "trained":
            yield f"{name} unfinished", "trained, not scored on validation yet", ""
        elif not run.sealed and not replicate.test_metrics:
            yield f"{name} not tested", _untested(replicate), ""
    yield from _left_out(progress)


def _left_out(progress: StudyState) -> Iterator[_Hole]:
    """What replicates left out of their evaluation, those with one reason together."""
    alike: dict[str, list[int]] = {}
    for number, replicate in progress.replicates.items():
        for note in replicate.notes:
            alike.setdefault(note, []).append(number + 1)
    for note, numbers in alike.items():
        yield f"seed {_numbers(numbers)} not judged in full", note, ""


def _untested(replicate: Replicate) -> str:
    if replicate.unsealed:
        return "the test set was opened, scores are not recorded yet"
    return "trained, the test set was not opened"


def _numbers(numbers: Iterable[int]) -> str:
    listed = sorted(numbers)
    shown = ", ".join(map(str, listed[:8]))
    return shown if len(listed) <= 8 else f"{shown} and {len(listed) - 8} more"


def one_line(text: str) -> str:
    """A message on one line, cut at 300 characters."""
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:299] + "…"


def cause(text: str) -> str:
    """An error on one line: of a traceback the last line, which is the error itself."""
    lines = text.strip().splitlines()
    return one_line(lines[-1] if lines and "Traceback" in text else text)


def _more(text: str) -> str:
    """The whole text where one line does not hold it."""
    text = text.strip()
    return text if "\n" in text or len(text) > 300 else ""
