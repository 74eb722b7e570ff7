"""Patches of colorectal polyps without votes."""

from __future__ import annotations

from pathlib import Path

from bench.spec import Case, Unlabelled
from suite.datasets.mhist import SIDE, Patch, pixels


def cases(path: Path) -> list[Case]:
    """The file's one patch."""
    return [Case(id=path.name, group=path.name, source=path)]


def read(case: Case) -> Patch:
    """Raises BadData for all but a whole 8-bit RGB PNG of the published size: one of another size
    shows tissue at another scale."""
    assert isinstance(case.source, Path)
    return Patch(pixels(case.source), label=0, votes=0)


UNLABELLED = Unlabelled(
    layout=f"a patch of {SIDE}x{SIDE} pixels as RGB .png",
    takes=lambda path: path.suffix.lower() == ".png",
    cases=cases,
    read=read,
)
