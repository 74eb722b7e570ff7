"""What the driver hands to a worker, and what a worker sends back. No Ray in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.plugins import PluginFile
from bench.spec import Config, Report, Study

JobKind = Literal["search", "replicate", "validate", "test"]


@dataclass(frozen=True, kw_only=True)
class Context:
    """What every worker of a run needs to know; sent once, small."""

    studies: dict[str, Study]
    prepared: dict[str, str]
    """By `Study.data`: the folder of the prepared data on the driver's node."""
    raw: dict[str, str]
    """By `Study.data`: where the raw data lie, from which another node prepares its own copy."""
    options: dict[str, dict[str, Any]]
    """By task."""
    checkpoints: str
    """Folder or URL below which checkpoints lie."""
    checkpoint_every_s: float
    deadline: float | None
    """Unix time after which every report follows its checkpoint: the run pauses then."""
    threads: int
    device: str
    plugins: tuple[PluginFile, ...] = ()
    """The files themselves: a worker need not see where they lie."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """The driver's switches that workers must follow; never more of its environment."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A segment of a trial or replicate: from its last checkpoint to the next decision."""

    kind: JobKind
    """`validate` scores a trained replicate without the test split, `test` with it."""
    study: str
    number: int
    """Trial number, or replicate number."""
    config: Config
    seed: int
    stop_epoch: int | None = None
    known_epoch: int = 0
    """Epochs up to here stand in the ledger already."""
    save_epochs: tuple[int, ...] | None = ()
    """Epochs whose checkpoint must stand before they are reported; None: all."""
    stall_seconds: float | None = None
    """Without a sign of life for so long the worker ends itself, and another goes on; None:
    never."""
    stall_of: Literal["epoch", "update"] = "epoch"
    """The sign of life: an epoch that ended, or an update, where no epoch's length is known yet."""

    @property
    def key(self) -> tuple[str, str, int]:
        """A trial or replicate has at most one job in flight."""
        return ("trial" if self.kind == "search" else "replicate", self.study, self.number)

    @property
    def name(self) -> str:
        """The stem of its checkpoint's and its predictions' file names."""
        return f"{self.study}/{self.key[0]}-{self.number}"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a job ended without its result. The worker lives on."""

    reason: Literal["diverged", "out_of_memory", "model_error", "data_error", "storage"]
    """`storage`: a checkpoint cannot be written, which is no trial's fault: the run pauses."""
    epoch: int
    """The epoch that was begun when it happened."""
    error: str
    """One line."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A replicate's training is over; its checkpoint holds the weights that are scored."""

    epoch: int
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A replicate's weights on the splits that it was allowed to read."""

    test_metrics: dict[str, float]
    """Empty where the test split is sealed."""
    validation_metrics: dict[str, float]
    cost: dict[str, float | None]
    arrays: dict[str, Any]
    """NumPy arrays by name, as they go into the predictions' file."""
    notes: tuple[str, ...] = ()
    """What was left out, and why."""


@dataclass(frozen=True, kw_only=True)
class Idle:
    """A worker without work says that it is there; it is kept warm for the next job."""


Content = Report | Failure | Trained | Tested | Idle


@dataclass
class Message:
    """A box around what a worker sends, so that Tune neither flattens nor keeps the content."""

    content: Content | None

    def take(self) -> Content:
        """The content; the box is empty afterwards."""
        content, self.content = self.content, None
        assert content is not None
        return content
