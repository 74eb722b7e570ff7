"""Predictions as a file of a run: what `results.predictions` reads."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

from bench.runs import RunFolder


def save_predictions(folder: RunFolder, name: str, arrays: Mapping[str, Any]) -> dict[str, str]:
    """Write one training's outputs, whole or not at all; the same bytes for the same arrays."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(arrays))
    content = buffer.getvalue()
    path = folder.predictions / f"{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)
    return {
        "file": str(path.relative_to(folder.path)),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
