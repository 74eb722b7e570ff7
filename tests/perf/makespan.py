"""Four studies in one experiment against one experiment after another: `tests.perf.makespan`.

Both sides are this project's engine over the same studies of sleeping trials, on as many logical
workers, in one Ray that is up already. `share of the ideal` is how much of the workers' time, from
when all of them have begun until the end, is spent in epochs: work / workers over wall time.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.spec import Search, Study
from bench.tune import experiment
from tests.perf import sleeping
from tests.perf.figures import Figure, Side, finish, parser


def studies(effort_epochs: int) -> list[Study]:
    search = Search(effort_epochs=effort_epochs, max_epochs=9)
    return [sleeping.study(number, search, seeds=5) for number in range(4)]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--workers", type=int, default=8)
    options.add_argument("--epoch-seconds", type=float, default=0.3)
    options.add_argument("--effort", type=int, default=60, help="epochs of each study")
    given = options.parse_args()
    if given.short:
        given.epoch_seconds, given.effort = 0.1, 45
    together: list[float] = []
    apart: list[float] = []
    shares: list[float] = []
    begun = studies(given.effort)
    with experiment.cluster(None, workers=given.workers, gpus=0) as resources:
        for repeat in range(given.repeats):
            for side in sorted(("together", "apart"), reverse=bool(repeat % 2)):
                with tempfile.TemporaryDirectory() as folder:
                    runs = [begun] if side == "together" else [[one] for one in begun]
                    total = 0.0
                    for number, some in enumerate(runs):
                        watch = sleeping.Watch(given.workers)
                        total += sleeping.seconds(
                            some, Path(folder) / f"{number}.jsonl", resources, watch,
                            given.epoch_seconds,
                        )  # fmt: skip
                    if side == "apart":
                        apart.append(total)
                        continue
                    together.append(total)
                    shares.append(watch.share_once_up())
    ours = Side(label="one experiment", values=tuple(together))
    theirs = Side(label="one after another", values=tuple(apart))
    ideal = Side(label="ideal", values=(1.0,))
    share = Side(label="once workers are up", values=tuple(shares))
    note = f"4 studies, {given.workers} workers, epochs of {given.epoch_seconds} s"
    finish(
        [
            Figure(
                what="makespan", unit="s", ours=ours, theirs=theirs,
                ratio=ours.median / theirs.median, bound="at most", target=0.6, note=note,
            ),
            Figure(
                what="makespan, share of the ideal", unit="", ours=share, theirs=ideal,
                ratio=share.median, bound="at least", target=0.85,
            ),
        ],
        given.json,
    )  # fmt: skip


if __name__ == "__main__":
    main()
