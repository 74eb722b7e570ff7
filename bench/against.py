"""A run that another is held against: its protocol, its data, its plug-ins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bench import narrowing, plugins, registry, runs, suites
from bench.errors import UserError
from bench.runs import RunFile, RunFolder
from bench.spec import Scalar, Suite

if TYPE_CHECKING:
    from bench.suites import SuiteFile


class Asked(Protocol):
    """What of a request bears on the suite."""

    @property
    def scale(self) -> str: ...
    @property
    def seed(self) -> int | None: ...
    @property
    def tasks(self) -> Sequence[str]: ...
    @property
    def entrants(self) -> Sequence[str]: ...
    @property
    def settings(self) -> Mapping[str, Scalar]: ...


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The run whose protocol a new one follows."""

    folder: RunFolder
    file: RunFile

    def data_folders(self, datasets: Sequence[str]) -> list[str]:
        """`NAME=DIR` of each data set that still lies where the run found it."""
        found = {str(facts["dataset"]): Path(facts["folder"]) for facts in self.file.data.values()}
        return [
            f"{name}={found[name]}" for name in datasets if name in found and found[name].exists()
        ]

    def check_data(self, prepared: Mapping[str, Any]) -> None:
        """Raise UserError, before anything is trained, where data are not those of the run."""
        for key, data in prepared.items():
            theirs = self.file.data[key]["fingerprint"]
            ours = data.manifest["fingerprint"]
            if ours != theirs:
                raise UserError(
                    f"{key} is not what {self.folder.path} was run on: data fingerprint {ours} "
                    f"instead of {theirs}: name its data with --data, or run the baseline again"
                )


def load(path: Path) -> Baseline:
    """Read the run, and load those of its plug-ins in whose place none was given.

    Raises UserError where there is no run, or where a plug-in of it is missing or altered.
    """
    folder, file = runs.load(path)
    given = {one.name for one in registry.plugin_files()}
    for name, sha256 in file.plugins.items():
        if name in given:
            continue
        kept = plugins.read(folder.plugins / name)
        if kept.sha256 != sha256:
            raise UserError(
                f"{folder.plugins / name} is not the plug-in that the run began with: bring it "
                "back, or give yours with --plugins"
            )
        registry.add_plugin(kept)
    return Baseline(folder=folder, file=file)


def suite(file: SuiteFile, asked: Asked, baseline: Baseline) -> Suite:
    """The baseline's suite, as it was resolved, with the tasks and entrants that are asked for.

    Entrants are the baseline's, those of the suite's file as it is now, and any family that can
    take a task. The number of seeds and the seed may differ, nothing else. Raises UserError.
    """
    theirs, name = baseline.file.suite, baseline.folder.path
    if file.id != theirs.id:
        raise UserError(
            f"{name} is a run of suite {theirs.id}, got --suite {file.id}: a comparison needs one "
            "suite"
        )
    if asked.scale not in ("auto", theirs.scale):
        raise UserError(
            f"{name} was run at scale {theirs.scale}, got --scale {asked.scale}: leave it out"
        )
    if others := [key for key in asked.settings if key != "seeds"]:
        raise UserError(
            f"a run against another follows its protocol to the letter, got --set "
            f"{', '.join(others)}: leave it out, or run the baseline anew with it"
        )
    wanted = replace(theirs, seed=theirs.seed if asked.seed is None else asked.seed)
    if "seeds" in asked.settings:
        try:
            own = replace(theirs.replicates, seeds=int(asked.settings["seeds"]))
        except ValueError as error:
            raise UserError(f"replicates: {error}") from None
        wanted = replace(wanted, replicates=own)
    if asked.entrants:
        now = suites.resolve(file, scale=theirs.scale, entrants=())
        known = {entrant.label for entrant in theirs.entrants}
        new = tuple(entrant for entrant in now.entrants if entrant.label not in known)
        wanted = replace(wanted, entrants=theirs.entrants + new)
    return narrowing.narrowed(wanted, asked.tasks or None, asked.entrants or None)
