"""Synthetic run folders, written through the real ledger: real files, known truth."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from bench.ledger import Ledger
from bench.spec import Entrant, Fold, Replicates, Search, Study, Suite
from tests.results.synthetic_cases import (
    CLASSES,
    CLOSING_METRICS,
    MASK_CLASSES,
    MASK_METRICS,
    METRICS,
    Cases,
    Slices,
)


@dataclass(frozen=True, kw_only=True)
class Actor:
    """An entrant of a synthetic run and what happens to it."""

    label: str
    quality: float = 1.0
    """How far the true class's score stands out: about 0 for chance, 3 for nearly perfect."""
    seed_spread: float = 0.15
    finished: int | None = None
    """Replicates that finish; None: all planned ones."""
    fails: str | None = None
    """The error of its study."""
    diverges: int = 0
    """Search trials that diverge."""
    replicate_error: str | None = None
    """The error of its last replicate."""
    pin: tuple[tuple[str, str | int], ...] = ()
    charged_seconds: float = 19.0
    peak_memory_mb: float | None = None
    search_spread: float = 0.0
    """How much the quality of what its searches find differs."""
    stream: str = ""
    """Entrants with one stream predict the same; empty: the label."""


def write_run(
    folder: Path,
    actors: Sequence[Actor],
    *,
    seeds: int = 3,
    trials: int = 9,
    patients: int = 40,
    per_patient: int = 8,
    phantom: bool = True,
    finish: bool = True,
    groups_known: bool = True,
    primary: str = "macro_f1",
    title: str = "Liver slices",
    refit: str = "train",
    masks: bool = False,
    strata: Sequence[str] = (),
    validation: bool = False,
    salt: str = "",
    searches: int = 1,
    splits: int = 1,
    time_budgets: Sequence[float] = (),
) -> Path:
    """A run of one task, `lits_cls`; the same for the same arguments.

    masks: the task is a segmentation, with predictions as counts. strata: facts of the cases with
    which predictions are stored; `votes` tells which patient a case is of, modulo 8. validation:
    validation predictions are stored too, with the metrics that they give, of as many cases. salt:
    another salt, other seeds for the same entrants on the same cases. searches, splits: of each
    entrant; each split has cases of its own. time_budgets: of fixed-time comparisons beside it.
    """
    search = Search(effort_epochs=6 * trials, max_epochs=9, max_trials=trials)
    replicates = Replicates(
        seeds=seeds,
        refit=refit,  # type: ignore[arg-type]
        searches=searches,
        splits=splits,
        time_budgets_s=tuple(time_budgets),
    )
    folds = [None] if splits == 1 else [Fold(number=n, of=splits) for n in range(splits)]
    cast = [(actor, f, n) for actor in actors for f in folds for n in range(searches)]
    studies = [
        _study(number, actor, search, replicates, fold, repeat)
        for number, (actor, fold, repeat) in enumerate(cast)
    ]
    entrants = tuple(study.entrant for study in studies[:: len(folds) * searches])
    timed = [(actor, budget) for budget in time_budgets for actor in actors]
    for actor, budget in timed:
        of = _study(len(studies), actor, search, replicates, None, 0)
        limits = replace(search, effort_epochs=None, effort_seconds=9 * budget, max_seconds=budget)
        studies.append(replace(of, time_budget_s=budget, search=limits))
        cast.append((actor, None, 0))
    suite = Suite(
        id="liver",
        title="Liver CT",
        scale="demo",
        seed=7,
        tasks=("lits_cls",),
        entrants=entrants,
        search=search,
        replicates=replicates,
        options={"lits_cls": {}},
        phantom_cases={"lits": 60},
    )
    (folder / "predictions").mkdir(parents=True)
    record = _record(folder, suite, studies, phantom=phantom, patients=patients)
    record["tasks"]["lits_cls"].update(groups_known=groups_known, primary=primary, title=title)
    if strata:
        record["tasks"]["lits_cls"].update(strata=list(strata), closing_metrics=[])
    if masks:
        record["tasks"]["lits_cls"].update(
            kind="image_segmentation",
            classes=list(MASK_CLASSES),
            metrics=list(MASK_METRICS),
            closing_metrics=list(CLOSING_METRICS),
            strata=[],
        )
    (folder / "run.json").write_text(json.dumps(record))
    with Ledger(folder / "ledger.jsonl") as ledger:
        ledger.append(
            "run_started",
            suite="liver",
            scale="demo",
            seed=7,
            phantom=phantom,
            studies=[study.id for study in studies],
        )
        for study, (actor, fold, repeat) in zip(studies, cast, strict=True):
            place = 0 if fold is None else fold.number
            own = f"-{place}-{repeat}" if place or repeat else ""
            rng = _rng((actor.stream or actor.label) + salt + own)
            if actor.search_spread:
                quality = actor.quality + rng.normal(0, actor.search_spread)
                actor = replace(actor, quality=quality)
            cases, seen = (
                _cases(masks, patients, per_patient, strata, n + 7 * place) for n in (11, 12)
            )
            _play(folder, ledger, study, actor, cases, seen if validation else None, rng, primary)
        if finish:
            bad = any(actor.fails for actor in actors)
            ledger.append("run_finished", state="failed" if bad else "completed")
    return folder


def _cases(
    masks: bool, patients: int, per_patient: int, strata: Sequence[str], seed: int
) -> Cases | Slices:
    if masks:
        return Slices(patients, per_patient, seed=seed)
    return Cases(patients, per_patient, strata, seed=seed)


def _study(
    number: int,
    actor: Actor,
    search: Search,
    replicates: Replicates,
    fold: Fold | None,
    repeat: int,
) -> Study:
    pin = dict(actor.pin)
    space = {
        "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
        "weight_decay": {"type": "float", "low": 1e-6, "high": 1e-2, "log": True},
        "optimizer": {"type": "choice", "values": ["adamw", "sgd"]},
        **{name: {} for name in pin},
    }
    space["initialisation"] = {"type": "choice", "values": ["default", "he_normal"], "held": True}
    return Study(
        id=f"lits_cls-{number}",
        task="lits_cls",
        fold=fold,
        search_number=repeat,
        entrant=Entrant(label=actor.label, family="resnet", pin=pin),
        space=space,
        pinned={"initialisation": "default"} | pin,
        free=tuple(name for name in space if name not in pin and name != "initialisation"),
        search=search,
        replicates=replicates,
        seed=number,
    )


def _record(
    folder: Path, suite: Suite, studies: Sequence[Study], *, phantom: bool, patients: int
) -> dict:
    return {
        "v": 1,
        "run": folder.name,
        "created": "2026-11-21T10:15:00+00:00",
        "phantom": phantom,
        "scale": "demo",
        "suite": asdict(suite),
        "studies": [asdict(study) for study in studies],
        "tasks": {
            "lits_cls": {
                "title": "Liver slices",
                "kind": "image_classification",
                "classes": list(CLASSES),
                "primary": "macro_f1",
                "margin": 0.01,
                "metrics": list(METRICS),
                "dataset": "lits",
                "groups_known": True,
            }
        },
        "data": {
            study.data: {
                "task": "lits_cls",
                "fold": None if study.fold is None else asdict(study.fold),
                "dataset": "lits",
                "phantom": phantom,
                "folder": "data/lits",
                "fingerprint": "9f86d081884c",
                "test_fingerprint": _fingerprint(study),
                "splits": {
                    split: {"cases": cases, "groups": groups, "class_counts": [cases, 0, 0]}
                    for split, cases, groups in (
                        ("train", 1200, 120),
                        ("validation", 320, 40),
                        ("test", 320, patients),
                    )
                },
            }
            for study in studies
        },
        "provenance": {
            "packages": {"torch": "2.15.0", "ray": "2.60.0", "notthere": None},
            "python": "3.11.9",
            "platform": "Linux-6.1-x86_64",
            "cpu": "A processor",
            "cpus": 2,
            "gpus": [{"name": "A GPU", "memory_mb": 1000, "driver": "1"}],
            "git": {"commit": "0123456789abcdef", "dirty": True},
            "command": ["bench", "run", "--suite", "liver"],
        },
        "notes": [],
    }


def _fingerprint(study: Study) -> str:
    """Of its test set."""
    return "60303ae22b99" if study.fold is None else f"60303ae22b{study.fold.number:02d}"


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng(int(hashlib.sha256(name.encode()).hexdigest()[:8], 16))


def _play(
    folder: Path,
    ledger: Ledger,
    study: Study,
    actor: Actor,
    cases: Cases | Slices,
    seen: Cases | Slices | None,
    rng: np.random.Generator,
    primary: str,
) -> None:
    if actor.fails:
        _trial(ledger, study, actor, rng, 0, "failed")
        state = {"state": "failed", "winner": None, "why": actor.fails}
        ledger.append("study_finished", study=study.id, **state)
        return
    assert study.search.max_trials is not None
    for number in range(study.search.max_trials):
        state = "failed" if 0 < number <= actor.diverges else "stopped" if number % 3 else ""
        _trial(ledger, study, actor, rng, number, state or "completed")
    best = ledger.state.studies[study.id].best()
    assert best is not None
    ledger.append(
        "study_finished", study=study.id, state="completed", winner=best.number, why="best score"
    )
    planned = study.replicates.seeds
    for number in range(planned if actor.finished is None else actor.finished):
        last = actor.replicate_error if number == planned - 1 else None
        _replicate(
            folder, ledger, study, actor, cases, seen, rng, number, best.config, last, primary
        )


def _trial(
    ledger: Ledger,
    study: Study,
    actor: Actor,
    rng: np.random.Generator,
    number: int,
    state: str,
) -> None:
    config = {
        "learning_rate": float(10 ** rng.uniform(-4, -1)),
        "weight_decay": float(10 ** rng.uniform(-6, -2)),
        "optimizer": "adamw",
        **study.pinned,
    }
    key = {"study": study.id, "trial": number}
    origin = "sampler" if number else "enqueued"
    ledger.append("trial_started", **key, config=config, seed=number, origin=origin, sampler={})
    epochs = {"completed": 9, "stopped": 3, "failed": 1}[state]
    peak = 0.4 + 0.15 * actor.quality + rng.normal(0, 0.05)
    for epoch in range(1, epochs + (state != "failed")):
        ledger.append("trial_reported", **key, epoch=epoch, **_report(rng, epoch, peak))
    ledger.append(
        "trial_finished",
        **key,
        state=state,
        reason="diverged" if state == "failed" else "",
        epochs=epochs,
        error=actor.fails or "the loss is not finite at step 3" if state == "failed" else None,
    )


def _report(rng: np.random.Generator, epoch: int, peak: float) -> dict:
    score = peak * (1 - 0.7 * 0.6**epoch) + rng.normal(0, 0.004)
    return {
        "charged_seconds": float(2 + rng.uniform(0, 0.3)),
        "free_seconds": 0.4,
        "score": float(score),
        "metrics": {"macro_f1": float(score)},
        "notes": [],
        "last": False,
    }


def _replicate(
    folder: Path,
    ledger: Ledger,
    study: Study,
    actor: Actor,
    cases: Cases | Slices,
    seen: Cases | Slices | None,
    rng: np.random.Generator,
    number: int,
    config: dict,
    error: str | None,
    primary: str,
) -> None:
    key = {"study": study.id, "replicate": number}
    who = {"entrant": actor.label, "task": study.task, "seed": 1000 + number}
    stop = None if study.replicates.refit == "train" else 6
    ledger.append("replicate_started", **key, **who, config=config, stop_epoch=stop)
    for epoch in range(1, 10):
        ledger.append(
            "replicate_reported",
            **key,
            epoch=epoch,
            **_report(rng, epoch, 0.4 + 0.15 * actor.quality + rng.normal(0, 0.01)),
        )
    test, validation, file, cost = {}, {}, None, {}
    if error is None:
        ledger.append("replicate_trained", **key, epoch=8, note="")
        ledger.append("test_unsealed", **key, task=study.task, fingerprint=_fingerprint(study))
        quality = actor.quality + rng.normal(0, actor.seed_spread)
        arrays, test = cases.outcome(quality, rng, primary)
        if study.replicates.refit == "train":
            validation = {name: value + 0.01 for name, value in test.items()}
            if seen is not None:
                more, validation = seen.outcome(quality, rng, primary)
                arrays |= {key.replace("test_", "validation_", 1): more[key] for key in more}
        file = _save(folder, f"{study.id}-{number}", arrays)
        cost = {
            "charged_seconds": actor.charged_seconds,
            "free_seconds": 3.0,
            "parameters": 11_176_579,
            "peak_memory_mb": actor.peak_memory_mb,
        }
    ledger.append(
        "replicate_finished",
        **key,
        **who,
        state="failed" if error else "completed",
        error=error,
        test_metrics=test,
        validation_metrics=validation,
        cost=cost,
        predictions=file,
    )


def _save(folder: Path, name: str, arrays: dict) -> dict[str, str]:
    path = folder / "predictions" / f"{name}.npz"
    np.savez_compressed(path, **arrays)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"file": f"predictions/{name}.npz", "sha256": digest}


PAIR = (Actor(label="Strong", quality=2.0), Actor(label="Weak", quality=0.6))
CAST = (
    Actor(label="ResNet-18, from scratch", quality=1.55, pin=(("depth", 18),)),
    Actor(label="ResNet-34, from scratch", quality=1.5, pin=(("depth", 34),)),
    Actor(label="ConvMixer", quality=1.15, diverges=2),
    Actor(label="FCNN", quality=0.5, replicate_error="CUDA error: an illegal access"),
    Actor(
        label='=HYPERLINK("https://example.org")</script><script>document.title="owned"</script>, '
        "<b>bold</b> & 'quotes'",
        quality=1.0,
    ),
    Actor(
        label="AlexNet",
        fails='Traceback (most recent call last):\n  File "suite/alexnet.py", line 3\n'
        "RuntimeError: expected 1 channel, <got> 3",
    ),
)
