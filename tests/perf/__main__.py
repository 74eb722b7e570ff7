"""All speed scripts in one table: `python -m tests.perf [--short] [NAME...]`.

Each script is a process of its own and prints both sides with all their repeats; the table follows
when all are done. With --short each does less, for all to end within three minutes on two idle
cores; what is not the engine's or cannot be made so short is left out, and said.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.perf import figures

SCRIPTS = {
    "start_up": "`bench --help` and `bench list tasks`",
    "replay": "charged epochs to random search's score",
    "report": "the report of 10,000 trials of 50 epochs",
    "training_throughput": "image training against one resident batch",
    "text_throughput": "texts of similar length against two ways of padding",
    "loading": "our batches of augmented images against a DataLoader",
    "preparation": "preparing data against plainly reading the same files",
    "overhead": "the engine's overhead a trial against plain Ray Tune",
    "makespan": "four studies in one experiment against one after another",
    "ten_thousand": "10,000 trials of a second on 16 logical workers",
}
LEFT_OUT = {
    "makespan": "it starts 40 workers a repeat",
    "training_throughput": "an update of it takes most of a second",
    "loading": "it is not the engine's",
    "text_throughput": "the texts have to be prepared first",
    "preparation": "the volumes have to be written first",
}
"""Left out of --short unless they are named, and why."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", nargs="*", help="which; all unless told")
    parser.add_argument("--short", action="store_true", help="about three minutes in all")
    given = parser.parse_args()
    if unknown := [name for name in given.name if name not in SCRIPTS]:
        parser.error(f"no script is called {', '.join(unknown)}: there are {', '.join(SCRIPTS)}")
    names = given.name or [n for n in SCRIPTS if not (given.short and n in LEFT_OUT)]
    print(f"{os.cpu_count()} CPUs, load {_load()}")
    found: list[figures.Figure] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            print(f"\n{name}: {SCRIPTS[name]}", flush=True)
            began = time.perf_counter()
            path = Path(folder) / f"{name}.json"
            command = [sys.executable, "-m", f"tests.perf.{name}", "--json", str(path)]
            code = subprocess.run(command + ["--short"] * given.short).returncode
            print(f"  took {time.perf_counter() - began:.0f} s, load now {_load()}")
            if code:
                failed.append(f"{name} failed, exit code {code}")
            else:
                found += figures.read(path)
    print(f"\n{figures.table(found)}")
    left_out = [name for name in LEFT_OUT if given.short and name not in names]
    for line in [*failed, *(f"{name} is left out: {LEFT_OUT[name]}" for name in left_out)]:
        print(line)
    return 1 if failed else 0


def _load() -> str:
    """The load averages of 1 and 5 minutes, which include what else the machine does."""
    return ", ".join(f"{load:.1f}" for load in os.getloadavg()[:2])


if __name__ == "__main__":
    sys.exit(main())
