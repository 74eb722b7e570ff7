"""Charged epochs to random search's final score, in virtual time: `python -m tests.perf.replay`.

Both sides search the recorded curves of tests/tune/curves: the default sampler and scheduler, and
random search without early stopping. A side's value is the mean over its searches.
"""

from __future__ import annotations

from bench.spec import Search
from bench.tune.replay import Searcher, compare, load
from tests.perf.figures import Figure, Side, finish, parser
from tests.tune.curves import LIVER


def main() -> None:
    given = parser(__doc__, repeats=30).parse_args()
    repeats = min(given.repeats, 6) if given.short else given.repeats
    default = Search(effort_epochs=1, max_epochs=1)
    searcher = Searcher(sampler=default.sampler, scheduler=default.scheduler)
    reference, ours = compare(load(LIVER)[0], [searcher], repeats=repeats)
    finish(
        [
            Figure(
                what="effort to random search's score",
                unit="epochs",
                ours=Side(label=ours.searcher, values=(ours.effort,)),
                theirs=Side(label=f"{reference.searcher}, all", values=(float(ours.spend),)),
                ratio=ours.ratio,
                bound="at most",
                target=round(1 / 3, 3),
                note=f"95 % interval {ours.low:.2f} to {ours.high:.2f}, {ours.reached} of "
                f"{ours.repeats} searches came to it",
            )
        ],
        given.json,
    )


if __name__ == "__main__":
    main()
