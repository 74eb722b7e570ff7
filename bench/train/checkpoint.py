"""One file that a trial goes on from, on a local disk or anywhere that fsspec reaches."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.errors import UserError

REMEDIES = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some of your quota there",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it writable",
    errno.EPERM: "make it writable",
}


class StorageError(UserError):
    """A checkpoint cannot be written or fetched, which is the fault of no trial."""

    def __init__(self, url: str, error: BaseException) -> None:
        number = error.errno if isinstance(error, OSError) else None
        super().__init__(
            f"{url}: {_what(error)}: "
            f"{REMEDIES.get(number or 0, 'mend the storage')}, then go on from the last checkpoint"
        )


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
        """Write tensors, numbers, strings, lists and dicts; whole or not at all on local disks.

        Raises StorageError where the storage does not take them; what was saved before stays.
        """
        import torch

        if self._local:
            with self._storing():
                self._save_locally(Path(self._path), state)
            return
        buffer = io.BytesIO()
        torch.save(state, buffer)
        with self._storing(remote=True):
            self._fs.makedirs(self._fs._parent(self._path), exist_ok=True)
            self._fs.pipe_file(self._path, buffer.getvalue())

    def _save_locally(self, path: Path, state: dict[str, Any]) -> None:
        import torch

        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        try:
            # Opened here: given a path, torch.save hides the system's error, and never sees those
            # that a network's file system keeps until the file is closed.
            with temporary.open("wb") as file:
                torch.save(state, file)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _storing(self, *, remote: bool = False) -> Iterator[None]:
        """Turn what a storage raises into StorageError; a remote one has errors of its own."""
        try:
            yield
        except Exception as error:
            cause = _system_error(error)
            if cause is None and not remote:
                raise
            raise StorageError(self.url, cause or error) from error

    def load(self) -> dict[str, Any] | None:
        """What was saved, on the CPU. None where there is no file; with a note, where it is damaged
        or a local disk cannot read it.

        Raises StorageError where a storage behind a URL does not answer.
        """
        import torch

        self.note = None
        try:
            if not self._fs.exists(self._path):
                return None
            with self._fs.open(self._path, "rb") as file:
                content = file.read()
        except FileNotFoundError:
            return None
        except Exception as error:
            if not self._local:
                # Away, not damaged: the trial is not to begin again for that.
                raise StorageError(self.url, _system_error(error) or error) from error
            if not isinstance(error, OSError):
                raise
            self.note = f"checkpoint ignored, it cannot be read: {_what(error)}"
            return None
        try:
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
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


def _system_error(error: BaseException | None) -> OSError | None:
    """The system's error behind an exception: torch.save buries it under one of its own."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def _what(error: BaseException) -> str:
    """What a storage says, in one line."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return " ".join(str(error).split()) or type(error).__name__
