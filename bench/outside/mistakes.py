"""What is wrong with predictions, in words: each mistake one line, with a number and examples."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches

EXAMPLES = 3
CANDIDATES = 5_000
"""Missing ids among which one is looked for that an unknown id may be meant for."""


def mistake(what: str, examples: Sequence[object], remedy: str) -> str:
    """`12 ids are missing ('volume-3/0042', 'volume-3/0043', ...): predict them`."""
    shown = ", ".join(map(repr, examples[:EXAMPLES]))
    more = ", ..." if len(examples) > EXAMPLES else ""
    return f"{len(examples):,} {what} ({shown}{more}): {remedy}"


def of_ids(given: Iterable[str], wanted: Collection[str], *, noun: str, remedy: str) -> list[str]:
    """Which are missing, unknown, or there twice."""
    seen: set[str] = set()
    twice: dict[str, None] = {}
    for id in given:
        if id in seen:
            twice[id] = None
        seen.add(id)
    known = set(wanted)
    missing = [id for id in wanted if id not in seen]
    strange = sorted(seen - known)
    found = []
    if missing:
        found.append(mistake(f"{noun} missing", missing, remedy))
    if strange:
        near = {id: _nearest(id, missing) for id in strange[:EXAMPLES]}
        meant = [f"{id!r} for {other!r}" for id, other in near.items() if other]
        hint = f"; did you mean {', '.join(meant)}?" if meant else ""
        found.append(mistake(f"{noun} unknown", strange, f"leave them out{hint}"))
    if twice:
        found.append(mistake(f"{noun} there more than once", list(twice), "keep one of each"))
    return found


def _nearest(id: str, missing: Sequence[str]) -> str:
    near = get_close_matches(id, missing[:CANDIDATES], n=1, cutoff=0.5)
    return near[0] if near else ""
