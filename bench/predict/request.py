"""What a user asks to be predicted, checked, and done."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import provenance, registry, runs
from bench.data.fingerprint import Progress
from bench.data.prepare import resolve_options
from bench.errors import BadData, UserError
from bench.folders import cache_root
from bench.ledger import RunState, fold, read
from bench.predict import folder as out
from bench.predict import replicates, rows
from bench.predict.replicates import Choice
from bench.predict.rows import Reading
from bench.prepared_run import prepare_data
from bench.runs import RunFile, RunFolder
from bench.spec import Study, Task, Unlabelled

if TYPE_CHECKING:
    from bench.data.prepared import PreparedTask
    from bench.train.apply import Trained


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `bench predict` is told."""

    run: Path
    entrant: str
    files: Sequence[Path]
    task: str | None = None
    study: str | None = None
    replicate: str | None = None
    """A number, `all` for the mean of the probabilities, or None for the one in the middle."""
    out: Path | None = None
    force: bool = False
    storage: str | None = None
    device: str | None = None


@dataclass(frozen=True, kw_only=True)
class Done:
    """What came of it."""

    folder: Path
    about: dict[str, Any]
    """As `about.json` has it."""


def predict(request: Request, *, progress: Progress | None = None) -> Done:
    """Predict new files with an entrant's trained replicates, and write a folder.

    Raises UserError for whatever is unknown, missing or of another kind, before anything is
    written. Files whose content turns out to be bad are left out, named in `about.json`, and named
    in a UserError at the end, when all others are written.
    """
    folder, file = runs.load(request.run)
    runs.load_plugins(folder, file)
    state = fold(read(folder.ledger)) if folder.ledger.exists() else RunState()
    studies = replicates.studies_of(file, request.entrant, request.task, request.study)
    task: Task = registry.tasks().get(studies[0].task)
    _check_task(folder, task)
    runs.spaces_of(studies)
    reader = _reader(task)
    _check_files(request.files, reader, task)
    chosen = replicates.choose(studies, state, request.replicate, run=request.run)
    place = request.out or Path(_default_name(folder, chosen.replicates[0][0]))
    models, described = _models(request, folder, file, chosen)
    phantom = any(file.data[study.data]["phantom"] for study, _ in chosen.replicates)
    out.opened(place, force=request.force)
    about = {
        "notice": out.NOTICE + f" {out.PHANTOM_NOTICE}" * phantom,
        "phantom": phantom,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": folder.path.resolve().name,
        "suite": file.suite.id,
        "scale": file.suite.scale,
        "task": task.id,
        "classes": list(task.classes),
        "options": dict(resolve_options(task, file.suite.options[task.id])),
        "entrant": studies[0].entrant.label,
        "how": chosen.how,
        "sealed": state.sealed,
        "replicates": described,
        "provenance": provenance.collect(sys.argv),
        "complete": False,
    }
    out.write_about(place, about)
    return _write(request, place, about, task, reader, models, progress)


def _write(
    request: Request,
    place: Path,
    about: dict[str, Any],
    task: Task,
    reader: Unlabelled,
    models: Sequence[Trained],
    progress: Progress | None,
) -> Done:
    """Read, predict and write; `about.json` last."""
    bad: list[BadData] = []
    reading = Reading(
        task=task, reader=reader, options=about["options"], on_bad=bad.append, progress=progress
    )
    outputs: list[str] = []
    if task.kind == "image_segmentation":
        for mask in rows.segment(reading, request.files, models):
            outputs.append(out.write_mask(place, mask, reader, phantom=about["phantom"]))
            out.write_about(place, about | {"outputs": outputs})
    else:
        found = rows.classify(reading, request.files, models)
        about["rows"] = out.write_table(
            place, found, classes=task.classes, phantom=about["phantom"]
        )
        outputs += [out.TABLE] * bool(about["rows"])
    problems = [problem for error in bad for problem in error.problems]
    about |= {
        "files": [{"file": str(path), "sha256": out.sha256(path)} for path in request.files],
        "outputs": outputs,
        "left_out": problems,
        "complete": True,
    }
    out.write_about(place, about)
    if problems:
        rest = f"the others are in {place}" if outputs else "nothing was predicted"
        raise UserError.of(problems, heading=f"files that cannot be read were left out, {rest}")
    return Done(folder=place, about=about)


def _default_name(folder: RunFolder, study: Study) -> str:
    """`predictions-RUN-ENTRANT-TASK`, in the working folder: a run holds its own results alone."""
    label = re.sub(r"[^A-Za-z0-9]+", "-", study.entrant.label).strip("-") or "entrant"
    return f"predictions-{folder.path.resolve().name}-{label}-{study.task}"


def _reader(task: Task) -> Unlabelled:
    shelf = registry.unlabelled()
    if task.dataset not in shelf.items and task.dataset not in shelf.broken:
        raise UserError(
            f"new files of {task.dataset} have no reader: write suite/unlabelled/{task.dataset}.py"
            f", as those of {', '.join(sorted(shelf.items))} are"
        )
    reader: Unlabelled = shelf.get(task.dataset)
    if task.kind == "image_segmentation" and (reader.mask is None or reader.write is None):
        raise UserError(
            f"suite/unlabelled/{task.dataset}.py writes no masks, {task.id} is a segmentation: "
            "give it `mask`, `write` and `mask_name`"
        )
    return reader


def _check_task(folder: RunFolder, task: Task) -> None:
    """Raise UserError where this version of the task makes other rows than the run's did."""
    content = json.loads(folder.run_file.read_text(encoding="utf-8"))
    version = content["tasks"][task.id].get("version", 1)
    if version != task.version:
        raise UserError(
            f"the run was begun with version {version} of {task.id}, this is {task.version}, which "
            "prepares its inputs otherwise: predict with the tunebench that the run began with"
        )


def _check_files(files: Sequence[Path], reader: Unlabelled, task: Task) -> None:
    """Raise UserError with all that the files' names show to be wrong."""
    wrong = []
    for path in files:
        if path.is_dir():
            wrong.append(f"{path} is a folder: name the files in it")
        elif not path.is_file():
            wrong.append(f"{path} is missing: name a file that is there")
        elif not os.access(path, os.R_OK):
            wrong.append(f"{path} cannot be read: give yourself the right to")
        elif not reader.takes(path):
            wrong.append(f"{path} is of another kind: {task.id} takes {reader.layout}")
    wrong += [f"{path} is named {n} times" for path, n in Counter(files).items() if n > 1]
    if task.kind == "image_segmentation" and not wrong:
        assert reader.mask_name is not None
        names = Counter(reader.mask_name(case) for path in files for case in reader.cases(path))
        wrong = [
            f"{n} of the files would be written to {name}: predict them into different --out"
            for name, n in names.items()
            if n > 1
        ]
    if wrong:
        raise UserError.of(wrong, heading="files to predict")


def _models(
    request: Request, folder: RunFolder, file: RunFile, chosen: Choice
) -> tuple[list[Trained], list[dict[str, Any]]]:
    """The chosen trainings as models, and what `about.json` says of each."""
    from bench.train import apply, device

    where = device.pick(request.device)
    models, described = [], []
    for study, replicate in chosen.replicates:
        data = _prepared(file, study)
        weights = replicates.weights(
            study, replicate, folder=folder, storage=request.storage, data=data
        )
        models.append(
            apply.Trained.of(
                family=registry.families().get(study.entrant.family),
                config=replicate.config,
                data=data,
                weights=weights,
                device=where,
            )
        )
        described.append(
            {
                "study": study.id,
                "replicate": replicate.number,
                "seed": replicate.seed,
                "epoch": replicate.selected_epoch,
                "config": replicate.config,
                "weights_sha256": apply.fingerprint(weights),
                "data_fingerprint": file.data[study.data]["fingerprint"],
                "validation_metrics": replicate.validation_metrics,
            }
        )
    return models, described


def _prepared(file: RunFile, study: Study) -> PreparedTask:
    """What the study was trained on: of it, prediction needs the normalisation and the tokenizer.

    Found in the cache without the raw data where it lies there; else prepared from them.
    """
    from bench.data.prepared import PreparedTask

    wanted = str(file.data[study.data]["fingerprint"])
    for manifest in cache_root().glob(f"prepared/*-{wanted[:16]}/manifest.json"):
        there = PreparedTask(manifest.parent)
        if there.manifest.get("fingerprint") == wanted:
            return there
    return PreparedTask(prepare_data(file, tasks=[study.task])[study.data])
