"""Where the raw data of a run lie: given folders, found folders, or phantoms."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import registry
from bench.data.fingerprint import Progress
from bench.data.sharing import locked, moved, writing
from bench.errors import UserError
from bench.spec import Dataset, Phantom, unknown

MARKER = "PHANTOM.json"
"""The file that says that a folder's data are generated."""


@dataclass(frozen=True)
class Source:
    """One data set's raw files."""

    dataset: str
    folder: Path
    phantom: bool


def resolve(
    datasets: Sequence[str],
    *,
    data: Sequence[str],
    phantom_cases: Mapping[str, int],
    seed: int,
    allow_phantom: bool,
    cache: Path,
) -> dict[str, Source]:
    """Where each data set of a run lies: all of them real, or all of them phantoms.

    `data`: what the user gave, `ROOT` or `NAME=DIR`; then nothing else is looked at. Without it,
    `$TUNEBENCH_DATA` and `./data`, and where these do not hold all, generated phantoms of
    `phantom_cases` cases if `allow_phantom`. Raises UserError for data that are not there, and for
    a mix of real data and phantoms.
    """
    if data:
        found = {name: _source(name, folder) for name, folder in _given(datasets, data).items()}
        _check_no_mix(found)
        return found
    if real := find_real(datasets):
        return {name: Source(name, folder, False) for name, folder in real.items()}
    if not allow_phantom:
        looked = " or ".join(str(root / name) for name in datasets for root in _roots())
        raise UserError(
            f"real data are needed for {', '.join(datasets)}: looked for {looked}: "
            "name their folders with --data ROOT or --data NAME=DIR"
        )
    return {
        name: Source(name, cached_phantom(name, phantom_cases.get(name), seed, cache), True)
        for name in datasets
    }


def find_real(datasets: Sequence[str]) -> dict[str, Path] | None:
    """The folders of these data sets below `$TUNEBENCH_DATA` or `./data`; None if one is missing.

    Folders of phantoms do not count.
    """
    found = {}
    for name in datasets:
        dataset: Dataset = registry.datasets().get(name)
        for root in _roots():
            folder = root / name
            if folder.is_dir() and not is_phantom(folder) and dataset.files(folder):
                found[name] = folder
                break
        else:
            return None
    return found


def is_phantom(folder: Path) -> bool:
    """Whether a folder's data are generated."""
    return (folder / MARKER).exists()


def cached_phantom(dataset: str, cases: int | None, seed: int, cache: Path) -> Path:
    """The folder of a phantom in the cache; generated once, whole or not at all."""
    phantom = _phantom(dataset)
    cases = phantom.cases if cases is None else cases
    folder = cache / "phantoms" / f"{dataset}-v{phantom.version}-{cases}-{seed}"
    if folder.exists():
        return folder
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            if not folder.exists():
                try:
                    make_phantom(dataset, folder, cases, seed)
                except UserError:
                    if not is_phantom(folder):  # Another node may have been first.
                        raise
    return folder


def make_phantom(
    dataset: str,
    folder: Path,
    cases: int | None = None,
    seed: int = 0,
    *,
    shape: tuple[int, int, int] | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a phantom in a data set's real format; `folder` is new or empty.

    It is written beside its place and moved there when it is whole. `shape`: (columns, rows,
    slices) of every case, where the phantom lets one choose.
    """
    phantom = _phantom(dataset)
    cases = phantom.cases if cases is None else cases
    if cases < 1:
        raise UserError(f"a phantom needs 1 or more cases, got {cases}")
    if shape is not None and not phantom.shape:
        raise UserError(
            f"the phantom of {dataset} comes in one shape, got {shape}: leave the shape out"
        )
    taken = f"a phantom is written to a new or empty folder, {folder} is not: choose another"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(taken)
    wanted = {"shape": shape, "progress": progress}
    with writing(folder, elsewhere="choose another folder"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            part.chmod(0o777 & ~_umask())
            given = {name: value for name, value in wanted.items() if value is not None}
            phantom.write(part, cases=cases, seed=seed, **given)
            assert is_phantom(part), f"phantom {dataset} did not write {MARKER}"
            if not moved(part, folder):
                raise UserError(taken)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _roots() -> list[Path]:
    given = os.environ.get("TUNEBENCH_DATA")
    return [Path(root).expanduser().absolute() for root in ([given] if given else []) + ["data"]]


def _phantom(dataset: str) -> Phantom:
    phantom: Phantom = registry.phantoms().get(dataset)
    return phantom


def _source(name: str, folder: Path) -> Source:
    return Source(name, folder.resolve(), is_phantom(folder))


def _given(datasets: Sequence[str], data: Sequence[str]) -> dict[str, Path]:
    """Each data set's folder among those that the user gave."""
    known = registry.datasets()
    named: dict[str, Path] = {}
    roots = []
    for entry in data:
        name, sign, folder = entry.partition("=")
        if not sign or (name not in known.items and Path(entry).is_dir()):
            roots.append(Path(entry))
        elif name not in known.items:
            raise UserError(f"--data {entry}: {unknown('data set', name, known.items)}")
        elif name in named:
            raise UserError(f"--data names {name} twice: {named[name]} and {folder}: leave one out")
        else:
            named[name] = Path(folder)
    mistakes = [
        f"--data {place}: there is no such folder"
        for place in [*roots, *named.values()]
        if not place.is_dir()
    ]
    found = {}
    for name in () if mistakes else datasets:
        dataset: Dataset = known.get(name)
        places = [named[name]] if name in named else [root / name for root in roots]
        for place in places:
            if place.is_dir() and dataset.files(place):
                found[name] = place
                break
        else:
            looked = " or ".join(map(str, places)) or f"nowhere, no --data {name}=DIR was given"
            mistakes.append(f"{name} was not found: looked in {looked} for {dataset.layout}")
    if mistakes:
        raise UserError.of(mistakes, heading="data")
    return found


def _check_no_mix(sources: Mapping[str, Source]) -> None:
    phantoms = [f"{s.dataset} in {s.folder}" for s in sources.values() if s.phantom]
    real = [f"{s.dataset} in {s.folder}" for s in sources.values() if not s.phantom]
    if phantoms and real:
        raise UserError(
            f"phantom and real data do not share a run: generated is {', '.join(phantoms)}, real "
            f"is {', '.join(real)}: run them one after the other with --tasks"
        )
