"""The prepared data of a run: those that it began with, or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench import registry
from bench.errors import UserError
from bench.folders import SPLIT_SEED, cache_root
from bench.runs import RunFile
from bench.spec import Fold


def prepare_data(file: RunFile, *, tasks: Sequence[str] | None = None) -> dict[str, Path]:
    """The prepared data by `Study.data`, made where they are not there yet.

    tasks: only these of the run; None: all. Raises UserError where the data are not those that the
    run began with.
    """
    from bench.data.prepare import prepare_folds

    roots = {}
    for task_id in file.suite.tasks if tasks is None else tasks:
        entries = {key: facts for key, facts in file.data.items() if facts["task"] == task_id}
        folder = next(iter(entries.values()))["folder"]
        made = prepare_folds(
            registry.tasks().get(task_id),
            Path(folder),
            options=file.suite.options[task_id],
            seed=SPLIT_SEED,
            cache=cache_root(),
            folds=[Fold(**facts["fold"]) if facts["fold"] else None for facts in entries.values()],
        )
        for (key, entry), prepared in zip(entries.items(), made, strict=True):
            if prepared.manifest["fingerprint"] != entry["fingerprint"]:
                raise UserError(
                    f"the data of {key} in {folder} are not those that the run began with: "
                    f"fingerprint {prepared.manifest['fingerprint']} instead of "
                    f"{entry['fingerprint']}: bring them back, or begin a new run"
                )
            roots[key] = prepared.root
    return roots
