"""How long `bench --help` and `bench list tasks` take: `python -m tests.perf.start_up`.

Each is a process of its own, from its start to its end, as is an empty Python beside them; the
three take turns.
"""

from __future__ import annotations

import subprocess
import sys
import time

from tests.perf.figures import against_limit, finish, parser

LIMIT_S = 0.5
ENTRY = "from bench.cli import main; main()"
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "bench --help": ["-c", ENTRY, "--help"],
    "bench list tasks": ["-c", ENTRY, "list", "tasks"],
}


def seconds(arguments: list[str]) -> float:
    """Of one process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    given = parser(__doc__, repeats=5).parse_args()
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for arguments in COMMANDS.values():
        seconds(arguments)  # reads the files once
    for _ in range(given.repeats):
        for name, arguments in COMMANDS.items():
            times[name].append(seconds(arguments))
    empty = times.pop("python -c pass")
    note = f"an empty Python: {sorted(empty)[len(empty) // 2]:.3f} s"
    finish(
        [
            against_limit(name, "s", taken, LIMIT_S, label="process", note=note)
            for name, taken in times.items()
        ],
        given.json,
    )


if __name__ == "__main__":
    main()
