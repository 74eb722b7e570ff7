"""Where a run's checkpoints lie: in its folder, or at a path or URL that every node can reach."""

from __future__ import annotations

import uuid
from typing import Any

from bench.errors import UserError
from bench.redaction import in_one_line, without_secrets
from bench.runs import RunFolder

LOCAL = {"file", "local"}
OF_ONE_PROCESS = {"memory", "data"}
"""What workers cannot share, and a resumed run does not find again."""


def checkpoints_of(folder: RunFolder, storage: str | None) -> str:
    """The path or URL below which a run's checkpoints lie.

    A path is made absolute: workers have working directories of their own. Raises UserError where
    `storage` names no file system that is known, installed and shared by all processes.
    """
    if storage is None:
        return str(folder.checkpoints.resolve())
    name = folder.path.resolve().name
    system, path = _opened(storage)
    if _protocols(system) & LOCAL:
        return f"{path.rstrip('/')}/{name}"
    return f"{storage.rstrip('/')}/{name}"


def check_storage(storage: str | None) -> None:
    """Write a few bytes there, read and remove them; nothing happens for None.

    Raises UserError where that fails, so that no search begins whose first trial cannot rest.
    """
    if storage is None:
        return
    system, path = _opened(storage)
    probe = f"{path.rstrip('/')}/.probe-{uuid.uuid4().hex[:8]}"
    try:
        system.makedirs(path, exist_ok=True)
        system.pipe_file(probe, b"tunebench")
        found = system.cat_file(probe)
        system.rm_file(probe)
    except Exception as error:  # each file system has errors of its own
        raise UserError(
            f"--storage {without_secrets(storage)} cannot be written to: "
            f"{in_one_line(error, storage)}: mend that, or leave it out to keep checkpoints in the "
            "run's folder"
        ) from None
    if found != b"tunebench":
        raise UserError(
            f"--storage {without_secrets(storage)} gives back other bytes than it was given: name "
            "another"
        )


def _opened(storage: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    shown = without_secrets(storage)
    try:
        system, path = url_to_fs(storage)
    except ImportError as error:
        raise UserError(
            f"--storage {shown} needs a library that is not installed: {error}"
        ) from None
    except Exception as error:
        raise UserError(f"--storage {shown}: {in_one_line(error, storage)}") from None
    if _protocols(system) & OF_ONE_PROCESS:
        raise UserError(
            f"--storage {shown} is the memory of one process, which no worker shares and no resume "
            "finds again: name a folder or a URL that all reach"
        )
    return system, str(path)


def _protocols(system: Any) -> set[str]:
    found = system.protocol
    return {found} if isinstance(found, str) else set(found)
