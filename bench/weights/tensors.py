"""Weights files as tensors, and tensors into a model: all of them, or an error that says which not.

Safetensors, or pickles read with `weights_only=True`: a file that is fetched can run no code.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

WRAPPERS = ("state_dict", "model", "teacher", "student")
"""Keys below which training scripts keep a model's weights: timm's, DeiT's and MAE's, DINO's."""
PREFIXES = ("module.", "_orig_mod.", "backbone.")
"""What DataParallel, torch.compile and self-supervision put before the names of all weights."""
SELF_SUPERVISED = ("teacher", "student")
SHOWN = 3


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file by name, on the CPU, without wrappers and common prefixes.

    Raises UserError for a file that is damaged, holds other things than tensors, or holds none.
    """
    import torch

    found: Any = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    heads_too = False
    while isinstance(found, Mapping):
        wrapper = next((key for key in WRAPPERS if isinstance(found.get(key), Mapping)), None)
        if wrapper is None:
            break
        heads_too = wrapper in SELF_SUPERVISED
        found = found[wrapper]
    tensors = found if isinstance(found, Mapping) else {}
    tensors = {
        name: value
        for name, value in tensors.items()
        if isinstance(name, str) and isinstance(value, torch.Tensor)
    }
    if not tensors:
        raise UserError(
            f"a weights file holds tensors by name, {path} holds none: name a file of a model's "
            "state_dict"
        )
    return _without_prefixes(tensors, heads_too=heads_too)


def _without_prefixes(tensors: dict[str, Tensor], *, heads_too: bool) -> dict[str, Tensor]:
    """heads_too: beside its backbone a self-supervised model has heads that belong to its loss."""
    changed = True
    while changed:
        changed = False
        for prefix in PREFIXES:
            below = {
                name.removeprefix(prefix): value
                for name, value in tensors.items()
                if name.startswith(prefix)
            }
            dropped = heads_too and prefix == "backbone."
            if below and (len(below) == len(tensors) or dropped):
                tensors, changed = below, True
    return tensors


def _safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from None


def _pickled(path: Path) -> Any:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights" not in str(error).lower():
            raise _unreadable(path, error) from None
        raise UserError(
            f"weights are read as tensors only, {path} holds other objects{_named_in(error)}: load "
            "it where you trust it and save its state_dict as safetensors"
        ) from None
    except Exception as error:  # torch.load has no one error for a damaged file
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(
        f"a weights file is safetensors or torch's, {path} cannot be read "
        f"({type(error).__name__}): it may be damaged, fetch or save it again"
    )


def _named_in(error: Exception) -> str:
    """The object that was refused, as torch names it."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    return f" ({found.group(1)})" if found else ""


def channels(path: Path) -> int | None:
    """The channels of the images that an image model's weights take: 3 where some convolution
    takes three; None where that cannot be told."""
    status = path.stat()
    return _channels(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _channels(path: Path, _size: int, _time: int) -> int | None:
    taken = {value.shape[1] for value in read(path).values() if value.ndim == 4}
    return 3 if 3 in taken else None


def fill(model: nn.Module, path: Path, *, head: Sequence[str]) -> None:
    """Load a file's weights into a model.

    head: prefixes of the names of the model's last part, without the dot. What lies below them is
    taken only where it is there and fits. All else must be there, of the same shape, and nothing
    more. Raises UserError with up to three of the names that do not fit, before anything is loaded.
    """
    given, wanted = read(path), model.state_dict()

    def in_head(name: str) -> bool:
        return any(name == prefix or name.startswith(f"{prefix}.") for prefix in head)

    fitting = {
        name: value
        for name, value in given.items()
        if name in wanted and value.shape == wanted[name].shape
    }
    problems = [
        _problem(name, given.get(name), value)
        for name, value in wanted.items()
        # Files from before torch 0.4.1 do not count batches, and nothing here depends on it.
        if name not in fitting and not in_head(name) and not name.endswith("num_batches_tracked")
    ]
    problems += [
        f"{name} has no place in the model"
        for name in given
        if name not in wanted and not in_head(name)
    ]
    if problems:
        more = f" and {len(problems) - SHOWN:,} more" if len(problems) > SHOWN else ""
        raise UserError(
            f"the weights {path} must fit the model: {'; '.join(problems[:SHOWN])}{more}: name "
            'weights of this architecture and size, or train from scratch (weights = "none")'
        )
    model.load_state_dict(fitting, strict=False)


def _problem(name: str, given: Tensor | None, wanted: Tensor) -> str:
    if given is None:
        return f"{name} is not in the file"
    return f"{name} is {tuple(given.shape)} in the file, {tuple(wanted.shape)} in the model"
