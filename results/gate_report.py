"""A comparison's outcome as text, as JSON, and as Markdown for a pull request."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.errors import UserError
from results.compare import Finding, Outcome
from results.cost import COSTS, Cost
from results.gate import Verdict
from results.protocol import Difference
from results.sentences import PHANTOM
from results.tables import metric_title
from results.wording import p_value, score

VERSION = 1
"""Of the JSON."""


# --- Text -----------------------------------------------------------------------------------


def as_text(outcome: Outcome) -> str:
    """Lines for a terminal; one a finding for what was not measured."""
    settings = outcome.settings
    lines = [f"PHANTOM: {PHANTOM}"] if outcome.phantom else []
    lines += [
        f"{outcome.candidate.name} against {outcome.baseline.name}, on the {settings.on} split, "
        f"one-sided alpha {settings.alpha:g}"
    ]
    for finding in outcome.findings:
        lines += [f"{finding.task.title}, {finding.label}", *_indented(_said(finding))]
    lines += [f"note: {note}" for note in _notes(outcome)]
    return "\n".join([*lines, f"overall: {outcome.verdict}{_scope(outcome)}"])


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _said(finding: Finding) -> Iterator[str]:
    if finding.verdict is Verdict.NOT_MEASURED:
        yield f"{finding.verdict}: {_reason(finding)}"
    else:
        yield f"{finding.verdict}: {_difference(finding)}, margin {score(finding.task.margin)}"
        over = "" if finding.unit == "seeds" else f" over the {finding.unit}"
        yield f"{_seeds(finding)} seeds{over}, {finding.patients} patients; {_claims(finding)}"
        if forecast := _forecast(finding):
            yield forecast
    for cost in finding.costs:
        yield _cost(cost)


def _difference(finding: Finding) -> str:
    found = finding.contrast
    metric = metric_title(finding.task, finding.task.primary)
    return (
        f"{metric} {score(found.value)}, at least {score(found.lower)}, at most "
        f"{score(found.upper)} (greater is better)"
    )


def _claims(finding: Finding) -> str:
    evidence = finding.contrast.evidence
    return (
        f"p for regressed {_p(evidence.p_regressed)}, for better {_p(evidence.p_better)} "
        f"({finding.contrast.method})"
    )


def _p(p: float) -> str:
    return "> 0.5" if p > 0.5 else p_value(p)


def _seeds(finding: Finding) -> str:
    """`5 and 5`, with those that are missing: `4 of 5 and 5`."""
    shown = (
        f"{done}" if done >= planned else f"{done} of {planned}"
        for done, planned in zip(finding.seeds, finding.planned, strict=True)
    )
    return " and ".join(shown)


def _forecast(finding: Finding) -> str:
    if finding.verdict is not Verdict.INCONCLUSIVE:
        return ""
    if needed := finding.contrast.seeds_needed:
        return f"about {needed} seeds of each would decide, if means and variances stay"
    return finding.contrast.why


def _reason(finding: Finding) -> str:
    why = finding.contrast.why
    if finding.differing:
        return f"{why}: {'; '.join(map(_differing, finding.differing))}"
    return why


def _differing(difference: Difference) -> str:
    return f"{difference.field} {_short(difference.baseline)} / {_short(difference.candidate)}"


def _short(value: Any) -> str:
    text = "not set" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _cost(cost: Cost) -> str:
    title, unit = COSTS[cost.name].rsplit(", ", 1)
    if math.isnan(cost.ratio):
        return f"{title}: {cost.verdict}{f': {cost.why}' if cost.why else ''}"
    return (
        f"{title}: {cost.baseline:.4g} to {cost.candidate:.4g} {unit}, {cost.ratio:.2f} times: "
        f"{cost.verdict}"
    )


def _notes(outcome: Outcome) -> Iterator[str]:
    for opening in outcome.openings:
        yield (
            f"this opened the test set of {opening.task} ({opening.fingerprint[:12]}), opening "
            f"{opening.times} by this user's runs and comparisons"
        )
    yield from outcome.notes


def _scope(outcome: Outcome) -> str:
    count = len(outcome.findings)
    return f", of {count} comparisons with Holm's correction" if count > 1 else ""


# --- JSON -----------------------------------------------------------------------------------


def as_json(outcome: Outcome) -> str:
    """One object; what is undefined is null."""
    settings = outcome.settings
    content = {
        "v": VERSION,
        "verdict": outcome.verdict,
        "exit_code": outcome.exit_code,
        "phantom": outcome.phantom,
        "baseline": outcome.baseline.name,
        "candidate": outcome.candidate.name,
        "on": settings.on,
        "alpha": settings.alpha,
        "cost_margin": settings.cost_margin,
        "comparisons": [_as_dict(finding) for finding in outcome.findings],
        "openings": [
            {"task": o.task, "test_fingerprint": o.fingerprint, "times": o.times}
            for o in outcome.openings
        ],
        "notes": list(outcome.notes),
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)


def _as_dict(finding: Finding) -> dict[str, Any]:
    found = finding.contrast
    return {
        "task": finding.task.id,
        "baseline": finding.baseline.label,
        "candidate": finding.candidate.label,
        "metric": finding.task.primary,
        "margin": finding.task.margin,
        "verdict": finding.verdict,
        "why": found.why,
        "difference": _number(found.value),
        "lower": _number(found.lower),
        "upper": _number(found.upper),
        "p_regressed": _number(found.evidence.p_regressed),
        "p_better": _number(found.evidence.p_better),
        "method": found.method,
        "seeds": list(finding.seeds),
        "repeated_by": finding.unit,
        "seeds_planned": list(finding.planned),
        "patients": finding.patients,
        "seeds_needed": found.seeds_needed,
        "differing": [
            {"field": d.field, "baseline": d.baseline, "candidate": d.candidate}
            for d in finding.differing
        ],
        "costs": [
            {
                "name": cost.name,
                "verdict": cost.verdict,
                "why": cost.why,
                "baseline": _number(cost.baseline),
                "candidate": _number(cost.candidate),
                "ratio": _number(cost.ratio),
            }
            for cost in finding.costs
        ],
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


# --- Markdown -------------------------------------------------------------------------------


def as_markdown(outcome: Outcome) -> str:
    """A heading with the verdict, and a table with one row a comparison."""
    settings = outcome.settings
    lines = [f"### bench compare: {outcome.verdict}", ""]
    if outcome.phantom:
        lines += [f"**PHANTOM.** {PHANTOM}", ""]
    lines += [
        f"{_plain(outcome.candidate.name)} against {_plain(outcome.baseline.name)}, on the "
        f"{settings.on} split, one-sided alpha {settings.alpha:g}{_scope(outcome)}.",
        "",
        "| task | entrant | verdict | difference | at least | at most | margin | seeds | cost |",
        "|---|---|---|---|---|---|---|---|---|",
        *map(_row, outcome.findings),
    ]
    remarks = [*_remarks(outcome), *map(_plain, _notes(outcome))]
    lines += ["", *(f"- {remark}" for remark in remarks)] if remarks else []
    return "\n".join(lines) + "\n"


def write_markdown(path: Path, outcome: Outcome) -> None:
    """Raises UserError where the file cannot be written."""
    try:
        path.write_text(as_markdown(outcome), encoding="utf-8")
    except OSError as error:
        raise UserError(f"--markdown {path} cannot be written: {error.strerror}") from None


def _row(finding: Finding) -> str:
    found = finding.contrast
    cells = [
        _plain(finding.task.title),
        _plain(finding.label),
        f"**{finding.verdict}**",
        *map(score, (found.value, found.lower, found.upper, finding.task.margin)),
        _seeds(finding),
        "<br>".join(map(_plain, map(_cost, finding.costs))),
    ]
    return f"| {' | '.join(cells)} |"


def _remarks(outcome: Outcome) -> Iterator[str]:
    """What does not fit in a table: reasons, and how many seeds would decide."""
    for finding in outcome.findings:
        unmeasured = finding.verdict is Verdict.NOT_MEASURED
        if said := _reason(finding) if unmeasured else _forecast(finding):
            yield _plain(f"{finding.task.title}, {finding.label}: {said}")


def _plain(text: str) -> str:
    """A text that Markdown shows as it is: no markup, no link, no mention, on one line."""
    escaped = re.sub(r"([\\`*_\[\]<>|~#])", r"\\\1", " ".join(text.split()))
    return escaped.replace("@", "@\u200b").replace("://", ":\u200b//")
