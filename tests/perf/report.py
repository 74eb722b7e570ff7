"""The report of a large run: time, memory and size: `python -m tests.perf.report`.

10,000 trials of 50 epochs in four studies, in a ledger that is written first. The report is made
from the run's folder in a process of its own, whose peak memory is its `ru_maxrss`.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import random
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from tests.perf.figures import against_limit, finish, parser
from tests.results.synthetic import Actor, write_run

STUDIES = 4
START = "2026-11-21T10:15:00.000+00:00"


def write(folder: Path, *, trials: int, epochs: int) -> None:
    """A finished run with so many trials in all: real replicates, and long curves before them."""
    actors = [Actor(label=f"Entrant {number}", quality=1.0) for number in range(STUDIES)]
    write_run(folder, actors, trials=3)
    ledger = folder / "ledger.jsonl"
    first, *rest = ledger.read_text().splitlines(keepends=True)
    record = json.loads((folder / "run.json").read_text())
    for study in record["studies"]:
        study["search"].update(effort_epochs=trials * epochs, max_epochs=epochs, max_trials=trials)
    (folder / "run.json").write_text(json.dumps(record))
    with ledger.open("w") as file:
        file.write(first)
        # After the trials that led to each study's winner, whose numbers they must not take.
        for line in rest:
            event = json.loads(line)
            if event["event"] == "study_finished":
                for number in range(3, trials // STUDIES):
                    _write_trial(file, event["study"], number, epochs)
            file.write(line)


def _write_trial(file: Any, study: str, number: int, epochs: int) -> None:
    rng = random.Random(f"{study}-{number}")
    of = {"v": 1, "t": START, "study": study, "trial": number}
    config = {
        "learning_rate": 10 ** rng.uniform(-4, -1), "weight_decay": 10 ** rng.uniform(-6, -2),
        "optimizer": "adamw", "initialisation": "default",
    }  # fmt: skip
    events: list[dict[str, Any]] = [
        {"event": "trial_started", "config": config, "seed": number, "origin": "sampler",
         "sampler": {}}
    ]  # fmt: skip
    peak = rng.uniform(0.2, 0.5)
    for epoch in range(1, epochs + 1):
        score = peak * (1 - math.exp(-epoch / 10)) + rng.gauss(0, 0.004)
        events.append(
            {"event": "trial_reported", "epoch": epoch, "charged_seconds": 2.0 + rng.random(),
             "free_seconds": 0.4, "score": score, "metrics": {"macro_f1": score}, "notes": [],
             "last": epoch == epochs}
        )  # fmt: skip
    events.append(
        {"event": "trial_finished", "state": "completed", "reason": "max_epochs",
         "epochs": epochs, "error": None}
    )  # fmt: skip
    file.writelines(json.dumps({**of, **event}) + "\n" for event in events)


def make(folder: Path) -> tuple[float, float, float]:
    """Seconds of a report, the process's peak memory in GiB, and the size of the HTML in MB."""
    from results.report import write_report

    began = time.perf_counter()
    write_report(folder)
    took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return took, peak, sum(page.stat().st_size for page in folder.rglob("*.html")) / 1e6


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--trials", type=int, default=10_000)
    options.add_argument("--epochs", type=int, default=50)
    given = options.parse_args()
    if given.short:
        given.trials //= 20
    found: list[tuple[float, float, float]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "large"
        write(folder, trials=given.trials, epochs=given.epochs)
        spawn = multiprocessing.get_context("spawn")
        for _ in range(given.repeats):
            with ProcessPoolExecutor(1, mp_context=spawn) as pool:
                found.append(pool.submit(make, folder).result())
    note = f"{given.trials} trials of {given.epochs} epochs"
    if given.trials < 10_000:
        note += "; the limit is that of 10,000"
    names = (("report", "s", 10.0), ("report, memory", "GiB", 1.0), ("report, HTML", "MB", 8.0))
    finish(
        [
            against_limit(what, unit, [one[place] for one in found], most, label="ours", note=note)
            for place, (what, unit, most) in enumerate(names)
        ],
        given.json,
    )


if __name__ == "__main__":
    main()
