"""How far a run is, from run.json and its ledger alone: while it goes on, and afterwards.

status = Watch(Path("runs/liver-20261121T101500Z")).look()
status.state, status.studies[0].trials["running"], status.left_seconds
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from bench import metrics
from bench.ledger import Event, Replicate, RunState, StudyState, Trial, uncollected
from bench.ledger.follow import Follower, is_held
from results.load import Run, StudyFacts, load_plan

State = Literal["not begun", "running", "paused", "interrupted", "completed", "failed"]
TRIAL_STATES = ("running", "resting", "completed", "stopped", "failed", "repeated")


@dataclass(frozen=True, kw_only=True)
class RungStatus:
    """Trials that were ruled on at a rung: `reached` is the sum of the others."""

    rung: float
    """In epochs, or in charged seconds where the study's rungs are in those."""
    reached: int
    promoted: int
    paused: int
    """Those that rest there now."""
    stopped: int


@dataclass(frozen=True, kw_only=True)
class StudyStatus:
    """How far a study is."""

    study: str
    task: str
    entrant: str
    part: str
    """Which of the entrant's studies on the task; empty for the only one."""
    state: str
    """`running`, `completed` or `failed`: of its search."""
    why: str
    """Of a search that has ended."""
    trials: Mapping[str, int]
    """By state, in the order of TRIAL_STATES."""
    rungs: tuple[RungStatus, ...]
    """Lowest first."""
    rung_unit: Literal["epochs", "seconds"]
    metric: str
    best: float | None
    """The best validation value of the primary metric so far."""
    best_trial: int | None
    winner: int | None
    effort: float
    effort_planned: float
    effort_left: float
    effort_unit: Literal["epochs", "charged seconds"]
    replicates: int
    """That have ended."""
    replicates_failed: int
    replicates_planned: int
    epochs_done: float
    epochs_planned: float
    """Of search and replicates together: what the time left is reckoned from."""

    @property
    def name(self) -> str:
        return f"{self.task}: {self.entrant}{f', {self.part}' if self.part else ''}"


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """How far a run is."""

    run: str
    phantom: bool
    scale: str
    sealed: bool
    state: State
    held: bool
    """Whether a process works at it now."""
    seconds: float
    """During which a process worked at it, over all its sessions."""
    left_seconds: float | None
    """What is planned and not done, at the pace of the last session; None before its first
    report, and where nothing is left."""
    pace: float | None
    """Epochs a second of the last session, all workers together."""
    last_event: str | None
    last_event_age_seconds: float | None
    resumes: int
    studies: tuple[StudyStatus, ...]

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


@dataclass
class _Session:
    """From a start or resume of the run to the last event before the next."""

    begun: str
    last: str
    epochs: int = 0
    """Reported in it."""


class Watch:
    """Looks at a run as often as it is asked to; each line of its ledger is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ledger = folder / "ledger.jsonl"
        self._follower = Follower(self._ledger)
        self._state = RunState()
        self._sessions: list[_Session] = []
        self._last: Event | None = None

    def look(self, now: datetime | None = None) -> RunStatus:
        """How far the run is now. Raises UserError where it is none, or a file of it is broken."""
        plan = load_plan(self._folder)
        held = is_held(self._ledger)  # before reading: who has just ended has written everything
        with uncollected():
            for event in self._follower.new():
                self._take(event)
        now = now or datetime.now(UTC)
        studies = tuple(self._study(plan, facts) for facts in plan.studies.values())
        state = self._state_of_run(held)
        last = self._last["t"] if self._last else None
        pace, seconds = self._pace(now, held)
        left = sum(max(0.0, one.epochs_planned - one.epochs_done) for one in studies)
        ended = state in ("completed", "failed")
        return RunStatus(
            run=plan.name,
            phantom=plan.phantom,
            scale=str(plan.record.get("scale", "")),
            sealed=self._state.sealed if self._last else plan.sealed,
            state=state,
            held=held,
            seconds=seconds,
            left_seconds=left / pace if pace and left and not ended else None,
            pace=pace,
            last_event=last,
            last_event_age_seconds=_between(last, now) if last else None,
            resumes=self._state.resumes,
            studies=studies,
        )

    def _take(self, event: Event) -> None:
        if "metrics" in event:
            event["metrics"] = event["notes"] = ()  # half a long run's memory, and not shown
        self._state.apply(event)
        self._last = event
        if event["event"] in ("run_started", "run_resumed", "run_unsealed"):
            self._sessions.append(_Session(event["t"], event["t"]))
        elif self._sessions and event["event"] != "outside_scored":
            self._sessions[-1].last = event["t"]
            self._sessions[-1].epochs += event["event"] in ("trial_reported", "replicate_reported")

    def _state_of_run(self, held: bool) -> State:
        if self._state.finished is not None:
            return "failed" if self._state.finished["state"] == "failed" else "completed"
        if held:
            return "running"
        if self._state.paused is not None:
            return "paused"
        return "not begun" if self._last is None else "interrupted"

    def _pace(self, now: datetime, held: bool) -> tuple[float | None, float]:
        """Epochs a second of the last session, and the seconds of all of them."""
        if not self._sessions:
            return None, 0.0
        lengths = [_between(one.begun, _moment(one.last)) for one in self._sessions]
        if held and self._state.finished is None:
            lengths[-1] = _between(self._sessions[-1].begun, now)
        epochs = self._sessions[-1].epochs
        pace = epochs / lengths[-1] if epochs and lengths[-1] > 0 else None
        return pace, sum(lengths)

    def _study(self, plan: Run, facts: StudyFacts) -> StudyStatus:
        state = self._state.studies.get(facts.id) or StudyState(facts.id)
        primary = plan.tasks[facts.task].primary
        best = state.best()
        score = best.best() if best else None
        planned = facts.effort_planned
        spent = state.charged_seconds if facts.in_seconds else float(state.effort)
        ended = sum(r.state in ("completed", "failed") for r in state.replicates.values())
        done, whole = _work(facts, state, spent=spent, planned=planned)
        return StudyStatus(
            study=facts.id,
            task=facts.task,
            entrant=facts.label,
            part=facts.part,
            state=state.state,
            why=state.why,
            trials=_by_state(state),
            rungs=tuple(_rungs(state)),
            rung_unit="epochs" if facts.search.get("grace_seconds") is None else "seconds",
            metric=primary,
            best=_value(primary, score[0]) if score else None,
            best_trial=best.number if best else None,
            winner=state.winner,
            effort=spent,
            effort_planned=planned,
            effort_left=max(0, planned - spent) if state.state == "running" else 0,
            effort_unit="charged seconds" if facts.in_seconds else "epochs",
            replicates=ended,
            replicates_failed=sum(r.state == "failed" for r in state.replicates.values()),
            replicates_planned=facts.seeds,
            epochs_done=done,
            epochs_planned=whole,
        )


def _value(metric: str, score: float) -> float:
    """A score as the metric has it."""
    return score if metrics.get(metric).greater_is_better else -score


def _by_state(state: StudyState) -> dict[str, int]:
    counted = Counter(
        "resting" if trial.resting_at is not None else trial.state
        for trial in state.trials.values()
    )
    return {name: counted[name] for name in TRIAL_STATES}


def _rungs(state: StudyState) -> Iterator[RungStatus]:
    counted: dict[float, Counter[str]] = {}
    for trial in state.trials.values():
        for rung, (_, decision) in trial.rungs.items():
            counted.setdefault(rung, Counter())[_now(trial, decision)] += 1
    for rung, counts in sorted(counted.items()):
        yield RungStatus(
            rung=rung,
            reached=counts.total(),
            promoted=counts["promoted"],
            paused=counts["paused"],
            stopped=counts["stopped"],
        )


def _now(trial: Trial, decision: str) -> str:
    """What has become of a decision: who rested until the search was over was stopped there."""
    return "stopped" if decision == "paused" and trial.state != "running" else decision


def _work(
    facts: StudyFacts, state: StudyState, *, spent: float, planned: float
) -> tuple[float, float]:
    """Epochs done and planned, of search and replicates together.

    An effort in charged seconds counts as the epochs that it buys at the price so far, and so does
    a training under a time budget. A search that has ended needs no more than it took; another
    replicate takes max_epochs, or as many as were fixed for it.
    """
    search = float(state.effort)
    price = max(state.charged_seconds / search, 1e-9) if search else 1.0
    if state.state == "running":
        whole = search + max(0.0, planned - spent) / (price if facts.in_seconds else 1.0)
    else:
        whole = search
    if state.state == "failed":
        return search, whole
    seconds = facts.search.get("max_seconds")
    last = int(facts.search["max_epochs"] if seconds is None else max(1.0, seconds / price))
    done = 0
    for replicate in state.replicates.values():
        done += _length(replicate, last) if _ended(replicate) else replicate.epoch
    known = [_length(replicate, last) for replicate in state.replicates.values()]
    return search + done, whole + sum(known) + last * max(0, facts.seeds - len(known))


def _ended(replicate: Replicate) -> bool:
    return replicate.state in ("completed", "failed")


def _length(replicate: Replicate, last: int) -> int:
    """Epochs of a replicate: those that it took, or those that it will take at most."""
    trained = _ended(replicate) or replicate.state == "trained"
    return replicate.epoch if trained else replicate.stop_epoch or last


def _moment(t: str) -> datetime:
    return datetime.fromisoformat(t)


def _between(t: str, now: datetime) -> float:
    """Seconds; none where clocks of two machines disagree."""
    return max(0.0, (now - _moment(t)).total_seconds())
