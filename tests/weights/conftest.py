"""Empty caches, and a process that has asked no hub yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import constants

from bench.weights import hub


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, empty; of torch.hub `TORCH_HOME` beside it. Online, as far as is known."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        # Set, then deleted: what the code under test writes there is undone too.
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(hub, "_switched_off", False)
    hub._hub_answers.cache_clear()
    hub._site_answers.cache_clear()
    return tmp_path / "hub"


@pytest.fixture
def unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No hub may be asked."""

    def never(_: str) -> bool:
        raise AssertionError("a hub was asked")

    monkeypatch.setattr(hub, "_hub_answers", never)
    monkeypatch.setattr(hub, "_site_answers", never)
