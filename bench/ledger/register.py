"""The register of all openings of test sets, over all runs of a user."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.ledger.events import Event


def register_opening(register: Path, *, fingerprint: str, run: str) -> None:
    """Note, for all runs of this user, that a run opened the test set of this fingerprint."""
    register.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"t": datetime.now(UTC).isoformat(), "fingerprint": fingerprint, "run": run})
    with register.open("ab") as file:
        file.write(line.encode() + b"\n")


def register_missed(register: Path, unsealed: Sequence[Event], *, run: str) -> None:
    """Note those openings of a run that its driver recorded, and died before it noted them."""
    for fingerprint, count in Counter(event["fingerprint"] for event in unsealed).items():
        noted = sum(e.get("run") == run for e in openings(register, fingerprint=fingerprint))
        for _ in range(count - noted):
            register_opening(register, fingerprint=fingerprint, run=run)


def openings(register: Path, *, fingerprint: str) -> Iterator[Event]:
    """The noted openings of one test set; lines that do not parse are passed over."""
    if not register.exists():
        return
    for line in register.read_bytes().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event.get("fingerprint") == fingerprint:
            yield event
