"""Results broken down: errors by stratum, predictive values, a segmenter's measures by volume."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import metrics
from bench.errors import UserError
from results.analysis import Entry, TaskAnalysis
from results.contenders import Training
from results.load import Run
from results.predictions import Counts, Outputs, Scores
from results.stats import wilson
from results.tables import frame, part_of

if TYPE_CHECKING:
    import pandas as pd


def strata(run: Run, analysis: TaskAnalysis) -> pd.DataFrame:
    """One row an entrant, a fact and a value of it: errors among the test cases with that value.

    `errors` is a mean over the entrant's replicates, `error_rate` its share of the cases, `std`
    that share's standard deviation over replicates. `low` and `high` are Wilson's 95 % interval of
    a share of that many cases: how far other cases would move it; seeds and the grouping of cases
    by patient are not in it.
    """
    rows: list[dict[str, Any]] = []
    for entry in analysis.entries if analysis.task.strata else ():
        scored = [one for _, one in _outputs(run, entry) if isinstance(one, Scores)]
        for fact in analysis.task.strata:
            rows += _of_fact(analysis, entry, fact, [one for one in scored if fact in one.facts])
    return frame(
        rows,
        "task entrant fact value cases class_counts seeds errors error_rate std low high",
    )


def _of_fact(
    analysis: TaskAnalysis, entry: Entry, fact: str, scored: list[Scores]
) -> Iterator[dict[str, Any]]:
    if not scored:
        return
    first = scored[0]
    alike = [one for one in scored if first.same_cases(one)]
    wrong = np.array([one.scores.argmax(axis=1) != one.labels for one in alike])
    for value in np.unique(first.facts[fact][np.isfinite(first.facts[fact])]).tolist():
        here = first.facts[fact] == value
        cases = int(here.sum())
        rates = wrong[:, here].mean(axis=1)
        rate = float(rates.mean())
        low, high = wilson(rate, cases)
        counts = np.bincount(first.labels[here], minlength=len(analysis.task.classes)).tolist()
        yield {
            "task": analysis.task.id,
            "entrant": entry.study.label,
            "fact": fact,
            "value": value,
            "cases": cases,
            "class_counts": ", ".join(
                f"{name} {count}"
                for name, count in zip(analysis.task.classes, counts, strict=True)
                if count
            ),
            "seeds": len(alike),
            "errors": rate * cases,
            "error_rate": rate,
            "std": float(rates.std(ddof=1)) if len(rates) > 1 else np.nan,
            "low": low,
            "high": high,
        }


def predictive_values(run: Run, analysis: TaskAnalysis) -> pd.DataFrame:
    """One row an entrant and a prevalence of the task's: what an alarm and an all-clear are worth.

    `ppv` and `npv` are means over the entrant's replicates, with the test set's sensitivity and
    specificity and the stated share of the positive class; `ppv_std` and `npv_std` their standard
    deviations. Of tasks of two classes alone.
    """
    rows = []
    for entry in analysis.entries if len(analysis.task.classes) == 2 else ():
        scored = [one for _, one in _outputs(run, entry) if isinstance(one, Scores)]
        for prevalence in analysis.task.prevalences if scored else ():
            rows.append(
                {
                    "task": analysis.task.id,
                    "entrant": entry.study.label,
                    "prevalence": prevalence,
                    "seeds": len(scored),
                    **_at_prevalence(scored, prevalence),
                }
            )
    return frame(rows, "task entrant prevalence seeds ppv ppv_std npv npv_std")


def _at_prevalence(scored: list[Scores], prevalence: float) -> dict[str, float]:
    matrices = np.stack(
        [metrics.confusion(one.labels, one.scores.argmax(axis=1), classes=2) for one in scored]
    )
    found = {}
    for name, function in (("ppv", metrics.ppv_at), ("npv", metrics.npv_at)):
        values = np.asarray(function(matrices, prevalence), dtype=float)
        found[name] = float(values.mean())
        found[f"{name}_std"] = float(values.std(ddof=1)) if len(values) > 1 else np.nan
    return found


def volumes(run: Run, analysis: TaskAnalysis) -> pd.DataFrame:
    """One row a replicate, a test volume and a measure of it; no value where it is undefined."""
    rows = []
    for entry in analysis.entries if analysis.task.closing_metrics else ():
        for training, one in _outputs(run, entry):
            if not isinstance(one, Counts):
                continue
            for name, values in one.measured.items():
                for volume, value in zip(one.volumes.tolist(), values.tolist(), strict=True):
                    rows.append(
                        {
                            "task": analysis.task.id,
                            "entrant": entry.study.label,
                            **part_of(training.study),
                            "replicate": training.replicate.number,
                            "volume": volume,
                            "measure": name,
                            "value": value,
                        }
                    )
    return frame(
        rows, "task entrant split_number search replicate volume measure value", real=("value",)
    )


def _outputs(run: Run, entry: Entry) -> Iterator[tuple[Training, Outputs]]:
    """What an entrant's replicates predicted for the test split, where it can be read.

    Files that cannot be are among the analysis' problems already.
    """
    for training in entry.trainings:
        study, number = training.study, training.replicate.number
        try:
            outputs = run.predictions(study.id, number).test
        except UserError:
            continue
        if outputs is not None and not outputs.fault():
            yield training, outputs
