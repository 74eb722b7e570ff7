"""One file that a trial goes on from, on a local disk or anywhere that fsspec reaches."""

from __future__ import annotations

import io
import uuid
from pathlib import Path
from typing import Any


class Checkpoint:
    """A trial's file at a path or URL; absent until the first `save`."""

    def __init__(self, url: str | Path) -> None:
        from fsspec.core import url_to_fs
        from fsspec.implementations.local import LocalFileSystem

        self.url = str(url)
        self.note: str | None = None
        """What was wrong with the file that `load` last found; None where nothing was."""
        self._fs, self._path = url_to_fs(self.url)
        self._local = isinstance(self._fs, LocalFileSystem)

    def save(self, state: dict[str, Any]) -> None:
        """Write tensors, numbers, strings, lists and dicts; whole or not at all on local disks."""
        import torch

        if self._local:
            path = Path(self._path)
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
            try:
                torch.save(state, temporary)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            return
        buffer = io.BytesIO()
        torch.save(state, buffer)
        self._fs.makedirs(self._fs._parent(self._path), exist_ok=True)
        self._fs.pipe_file(self._path, buffer.getvalue())

    def load(self) -> dict[str, Any] | None:
        """What was saved, on the CPU. None where there is no file, or with a note a damaged one."""
        import torch

        self.note = None
        if not self._fs.exists(self._path):
            return None
        try:
            with self._fs.open(self._path, "rb") as file:
                state = torch.load(io.BytesIO(file.read()), map_location="cpu", weights_only=True)
        except FileNotFoundError:
            return None
        except Exception as error:  # torch.load has no one error for a damaged file
            self.note = f"damaged checkpoint ignored: {type(error).__name__}"
            return None
        if not isinstance(state, dict):
            self.note = f"damaged checkpoint ignored: it holds a {type(state).__name__}"
            return None
        return state

    def delete(self) -> None:
        """Remove the file; nothing happens where there is none."""
        if self._fs.exists(self._path):
            self._fs.rm_file(self._path)
