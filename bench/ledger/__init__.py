"""The ledger: a run's append-only record, and the fold that turns it into the run's state.

One JSON object a line. The driver alone writes; every line is flushed, and the lines that a reader
of the test split must be able to rely on are synchronised to disk. State is only ever a function
of the lines: `RunState.apply` is called with each event when it is written and, in the same way,
when it is read back.
"""

from __future__ import annotations

from bench.ledger.events import (
    DURABLE,
    MEASURED,
    OPTIONAL,
    SCHEMA,
    VERSION,
    Event,
    mistake,
    timeless,
)
from bench.ledger.file import Ledger, LedgerUnwritable, read, stream, uncollected
from bench.ledger.register import openings, register_missed, register_opening
from bench.ledger.state import Replicate, RunState, StudyState, Training, Trial, fold

__all__ = [
    "DURABLE",
    "Event",
    "fold",
    "Ledger",
    "LedgerUnwritable",
    "MEASURED",
    "mistake",
    "openings",
    "OPTIONAL",
    "read",
    "register_missed",
    "register_opening",
    "Replicate",
    "RunState",
    "SCHEMA",
    "stream",
    "StudyState",
    "timeless",
    "Training",
    "Trial",
    "uncollected",
    "VERSION",
]
