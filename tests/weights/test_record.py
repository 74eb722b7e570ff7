"""What a record keeps of weights: the content decides, not the place."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bench.spec import Weights
from bench.weights import describe, fingerprint
from tests.weights.stored import TEXT, write, write_hub_cache


def test_a_files_fingerprint_is_its_sha256(tmp_path: Path) -> None:
    path = write(tmp_path, {"net.pth": b"content"}) / "net.pth"
    digest = hashlib.sha256(b"content").hexdigest()
    weights = Weights(name="net", path=path)
    assert describe(weights) == {"name": "net", "sha256": digest, "bytes": 7}
    path.write_bytes(b"another")
    assert fingerprint(weights) == hashlib.sha256(b"another").hexdigest()


def test_a_folder_is_the_same_wherever_it_lies(tmp_path: Path) -> None:
    folder = write(tmp_path / "net", TEXT | {"README.md": b"words"})
    cached = write_hub_cache(tmp_path / "hub", "owner/net", TEXT)
    one, two = (Weights(name="net", path=path) for path in (folder, cached))
    assert fingerprint(one) == fingerprint(two)
    assert describe(one)["bytes"] == sum(map(len, TEXT.values()))


@pytest.mark.parametrize("name", sorted(TEXT))
def test_each_file_of_a_text_model_has_a_say(name: str, tmp_path: Path) -> None:
    weights = Weights(name="net", path=write(tmp_path, TEXT))
    before = fingerprint(weights)
    (tmp_path / name).write_bytes(b"something else")
    changed = fingerprint(weights)
    (tmp_path / name).rename(tmp_path / f"other-{name}")
    assert len({before, changed, fingerprint(weights)}) == 3
