"""Record the shipped table again: `python -m tests.tune.curves`.

Random configurations of a fully connected network on the phantom liver slices, 32 pixels wide, each
trained to the 15 epochs that the suite has at its full scale. About ten minutes of one core.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.tune import replay
from tests.tune.curves import CONFIGURATIONS, LIVER

EPOCHS = 15
SEED = 7


def command(folder: Path, configurations: int) -> list[str]:
    """The run that is recorded: one worker, so that its trials are the same each time."""
    settings = {
        "sampler": "random",
        "scheduler": "none",
        "max_epochs": EPOCHS,
        "effort_epochs": configurations * EPOCHS,
        "image_size": 32,
    }
    options = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    return [
        *(sys.executable, "-m", "bench.cli", "run", "--suite", "liver", "--scale", "demo"),
        *("--seed", str(SEED), "--tasks", "lits_cls", "--entrants", "FCNN", "--seeds", "1"),
        *("--workers", "1", "--run", str(folder), *options),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.tune.curves", description=__doc__)
    parser.add_argument("--configurations", type=int, default=CONFIGURATIONS)
    parser.add_argument("--out", type=Path, default=LIVER)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        subprocess.run(command(run, given.configurations), check=True)
        tables = replay.of_runs([run])
    replay.save(tables, given.out)
    print(f"{len(tables[0].curves)} curves, {given.out.stat().st_size:,} bytes: {given.out}")


if __name__ == "__main__":
    main()
