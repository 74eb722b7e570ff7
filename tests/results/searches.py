"""Synthetic searches with rungs, choices and conditions, put into a synthetic run."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

SPACE = {
    "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "optimizer": {"type": "choice", "values": ["adamw", "sgd"]},
    "momentum": {"type": "float", "low": 0.8, "high": 0.99, "when": {"optimizer": "sgd"}},
    "depth": {"type": "int", "low": 1, "high": 60},
    "flip": {"type": "choice", "values": [True, False]},
    "initialisation": {"type": "choice", "values": ["default", "he_normal"], "held": True},
}
FREE = ["learning_rate", "optimizer", "momentum", "depth", "flip"]
START = "2026-11-21T10:15:00.000+00:00"
RUNGS = (1, 3)


def with_search(folder: Path, study: str = "lits_cls-0", *, trials: int = 40) -> Path:
    """A run whose study has so many further trials of such a space, with rungs at epochs 1 and 3.

    The score depends on the learning rate alone, but for noise: best at 1e-2.
    """
    record = json.loads((folder / "run.json").read_text())
    for facts in record["studies"]:
        if facts["id"] == study:
            facts.update(space=SPACE, free=FREE)
            facts["search"].update(grace_epochs=1, reduction_factor=3)
    (folder / "run.json").write_text(json.dumps(record))
    ledger = folder / "ledger.jsonl"
    lines = []
    for line in ledger.read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "study_finished" and event["study"] == study:
            first = 1 + max(
                json.loads(one).get("trial", -1) for one in lines if f'"{study}"' in one
            )
            for number in range(first, first + trials):
                lines += [json.dumps(one) for one in _trial(study, number)]
        lines.append(line)
    ledger.write_text("\n".join(lines) + "\n")
    return folder


def _trial(study: str, number: int) -> list[dict[str, Any]]:
    rng = random.Random(f"{study}-{number}")
    config: dict[str, Any] = {
        "learning_rate": 10 ** rng.uniform(-4, -1),
        "optimizer": rng.choice(["adamw", "sgd"]),
        "depth": rng.randint(1, 60),
        "flip": rng.random() < 0.5,
        "initialisation": "default",
    }
    if config["optimizer"] == "sgd":
        config["momentum"] = rng.uniform(0.8, 0.99)
    peak = 0.55 - 0.1 * abs(math.log10(config["learning_rate"]) + 2) + rng.gauss(0, 0.01)
    stops = RUNGS[number % 3] if number % 3 < len(RUNGS) else None
    of = {"v": 1, "t": START, "study": study, "trial": number}
    events: list[dict[str, Any]] = [
        {"event": "trial_started", "config": config, "seed": number, "origin": "sampler",
         "sampler": {}}
    ]  # fmt: skip
    epochs = stops or 9
    for epoch in range(1, epochs + 1):
        score = peak * (1 - 0.5 * 0.6**epoch)
        events.append(
            {"event": "trial_reported", "epoch": epoch, "charged_seconds": 2.0,
             "free_seconds": 0.4, "score": score, "metrics": {"macro_f1": score}, "notes": [],
             "last": epoch == epochs}
        )  # fmt: skip
        if epoch in RUNGS:
            said = "stopped" if epoch == stops else "promoted"
            events.append(
                {"event": "trial_rung", "rung": float(epoch), "score": score, "decision": said}
            )
    state = "stopped" if stops else "completed"
    events.append(
        {"event": "trial_finished", "state": state, "reason": "", "epochs": epochs, "error": None}
    )
    return [{**of, **event} for event in events]
