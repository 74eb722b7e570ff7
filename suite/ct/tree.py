"""The files below a folder, listed once for all layouts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tree:
    """What lies below a folder."""

    root: Path
    files: dict[Path, list[str]]
    """By folder, the names of its files in order; hidden ones, which archives leave, are not
    among them."""
    mistakes: list[str]
    """Folders that cannot be listed."""

    @classmethod
    def of(cls, root: Path) -> Tree:
        mistakes: list[str] = []

        def refused(error: OSError) -> None:
            mistakes.append(f"{error.filename} cannot be listed ({error.strerror})")

        files = {
            Path(folder): sorted(name for name in names if not name.startswith("."))
            for folder, _, names in os.walk(root, onerror=refused)
        }
        return cls(root, files, mistakes)
