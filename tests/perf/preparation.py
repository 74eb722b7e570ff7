"""Preparation beside plainly reading the same files: `python -m tests.perf.preparation`.

    prepare    this project: every file hashed, read once and checked, cut into slices, windowed,
               resized, staged and copied to its split; one process, a fresh cache
    read       nibabel alone: `np.asarray(nibabel.load(path).dataobj)` of every file, one process

Each measurement has a process of its own, whose peak memory is its `ru_maxrss`; imports are not
timed. The sides alternate; a side's figure is the median of its repeats. The volumes are a phantom,
written first, or real ones named with --data.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.perf import figures
from tests.perf.figures import Figure, Side


def read(task: str, folder: Path, size: int) -> float:
    """Seconds of reading every file with nibabel."""
    import nibabel
    import numpy as np

    paths = sorted(folder.glob("*.nii*"))
    begin = time.perf_counter()
    for path in paths:
        np.asarray(nibabel.load(path).dataobj)
    return time.perf_counter() - begin


def prepare(task: str, folder: Path, size: int) -> float:
    """Seconds of preparing a task from its raw files, once."""
    import nibabel  # noqa: F401
    import PIL.Image  # noqa: F401

    from bench import registry
    from bench.data.prepare import prepare

    chosen = registry.tasks().get(task)
    with tempfile.TemporaryDirectory() as cache:
        begin = time.perf_counter()
        prepare(chosen, folder, options={"image_size": size}, seed=0, cache=Path(cache))
        return time.perf_counter() - begin


def measured(
    side: Callable[[str, Path, int], float], task: str, folder: Path, size: int
) -> tuple[float, float]:
    """Seconds of one side, and the peak memory in MB of the process that it ran in."""
    return side(task, folder, size), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = figures.parser(__doc__)
    parser.add_argument("--volumes", type=int, default=20)
    parser.add_argument("--shape", default="256,256,200", help="columns,rows,slices")
    parser.add_argument("--task", default="lits_cls")
    parser.add_argument("--size", type=int, default=224, help="image_size of the prepared slices")
    parser.add_argument("--data", type=Path, help="a folder of real volumes")
    given = parser.parse_args()
    if given.short:
        given.volumes, given.shape = 4, "256,256,60"

    with tempfile.TemporaryDirectory() as scratch:
        folder = given.data
        if folder is None:
            from bench.data.sources import make_phantom

            columns, rows, slices = map(int, given.shape.split(","))
            folder = Path(scratch) / "lits"
            make_phantom("lits", folder, given.volumes, shape=(columns, rows, slices))
        compressed = sum(path.stat().st_size for path in folder.glob("*.nii*"))
        seconds: dict[str, list[float]] = {"prepare": [], "read": []}
        peaks: dict[str, float] = {"prepare": 0, "read": 0}
        spawn = multiprocessing.get_context("spawn")
        for _ in range(given.repeats):
            for side in (read, prepare):
                with ProcessPoolExecutor(1, mp_context=spawn) as pool:
                    took, peak = pool.submit(
                        measured, side, given.task, folder, given.size
                    ).result()
                seconds[side.__name__].append(took)
                peaks[side.__name__] = max(peaks[side.__name__], peak)
    sides = {name: Side(label=name, values=tuple(taken)) for name, taken in seconds.items()}
    note = (
        f"{compressed / 1e6:,.0f} MB in files, {given.task}, {given.size} px; at most "
        f"{peaks['prepare']:,.0f} MB of memory against {peaks['read']:,.0f}"
    )
    figures.finish(
        [
            Figure(
                what="preparing data", unit="s", ours=sides["prepare"], theirs=sides["read"],
                ratio=sides["read"].median / sides["prepare"].median, bound="at least",
                target=0.6, note=note,
            )
        ],
        given.json,
    )  # fmt: skip


if __name__ == "__main__":
    main()
