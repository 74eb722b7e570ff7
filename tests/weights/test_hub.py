"""Hubs: asked once and shortly, or not at all; what they give lands in their libraries' caches."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from socket import socket
from threading import Event

import pytest
from huggingface_hub import constants

from bench.errors import WeightsMissing
from bench.weights import Url, find_image_weights, find_text_model, hub
from tests.weights.stored import MEAN, TEXT, serving, timm_files, write_hub_cache

PIECES = {"spiece.model": b"pieces", "tokenizer_config.json": b"{}"}
FETCH = """
import json, sys
from bench.errors import WeightsMissing
from bench.weights import find_image_weights, find_text_model
found = []
for kind, name in json.loads(sys.argv[1]):
    try:
        if kind == "text":
            weights = find_text_model(name)
        else:
            weights = find_image_weights(name, named={})
        found.append([str(weights.path), list(weights.mean)])
    except WeightsMissing as error:
        found.append(error.looked)
print(json.dumps(found))
"""


def fetch(asked: list[tuple[str, str]], root: Path, **environment: str) -> list[list]:
    """What a fresh process finds with its caches below a folder."""
    keep = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    caches = {"HF_HOME": str(root / "hf"), "HOME": str(root)}
    quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-c", FETCH, json.dumps(asked)],
        env=keep | caches | quiet | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_a_hub_gives_lands_in_the_cache_and_is_not_asked_for_again(tmp_path: Path) -> None:
    content = b"the weights"
    unwanted = {"flax_model.msgpack": b"no", "pytorch_model.bin": b"neither"}
    repositories = {
        "timm/net": timm_files(content) | unwanted,
        "owner/bert": TEXT | PIECES | unwanted,
        "owner/empty": {"README.md": b""},
    }
    with serving(repositories) as site:
        site.forbidden = "owner/forbidden"
        asked = [
            ("image", "timm/net"),
            ("text", "owner/bert"),
            ("image", "owner/empty"),
            ("image", "owner/nothing"),
            ("image", "owner/forbidden"),
        ]
        first = fetch(asked, tmp_path, HF_ENDPOINT=site.url)
    image, text = (Path(found[0]) for found in first[:2])
    assert image.is_relative_to(tmp_path / "hf" / "hub") and image.read_bytes() == content
    assert first[0][1] == MEAN
    assert sorted(path.name for path in image.parent.iterdir()) == sorted(timm_files(content))
    assert sorted(path.name for path in text.iterdir()) == sorted(TEXT | PIECES)
    assert first[2][-1].endswith("where owner/empty holds no file of weights that is known")
    assert first[3][-1].endswith("there is no public repository of this name")
    assert first[4][-1].endswith("its answer was HTTP 403")
    # The site is gone: all that was fetched is found without it.
    again = fetch(asked[:2], tmp_path, HF_ENDPOINT=site.url, HF_HUB_OFFLINE="1")
    assert again == first[:2]


def test_a_file_is_kept_where_its_content_is_what_its_name_says(
    cache: Path, tmp_path: Path
) -> None:
    right = f"net-{hashlib.sha256(b'x').hexdigest()[:8]}.pth"
    with serving(files={right: b"x", "net-00000000.pth": b"x"}) as site:
        named = {file: Url(url=f"{site.url}/{file}") for file in (right, "net-00000000.pth")}
        found = find_image_weights(right, named=named)
        with pytest.raises(WeightsMissing, match=r"on 127.0.0.1: the content is not what"):
            find_image_weights("net-00000000.pth", named=named)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    assert found is not None and found.path == folder / right
    assert list(folder.iterdir()) == [folder / right]


def test_an_offline_switch_is_obeyed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"timm/net": timm_files(b"x")}, {"net.pth": b"x"}) as site:
        monkeypatch.setattr(constants, "ENDPOINT", site.url)
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        for name, named in (("timm/net", {}), ("net", {"net": Url(url=f"{site.url}/net.pth")})):
            with pytest.raises(WeightsMissing, match=r"127.0.0.1: HF_HUB_OFFLINE is set"):
                find_image_weights(name, named=named)
        assert site.asked == []


def test_a_hub_that_does_not_answer_is_asked_once(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(status=503) as site:
        secret = site.url.replace("127", "user:secret@127")
        monkeypatch.setattr(constants, "ENDPOINT", secret)
        for name in ("owner/net", "owner/net", "bert-base-uncased"):
            with pytest.raises(WeightsMissing) as caught:
                find_text_model(name)
            assert "on the hub 127.0.0.1, which does not answer" in str(caught.value)
            assert str(cache) in str(caught.value) and "secret" not in str(caught.value)
        assert site.asked == ["HEAD /"]
    # Its libraries, also in processes that are started later, do not ask it either.
    assert os.environ["HF_HUB_OFFLINE"] == "1" and constants.HF_HUB_OFFLINE


def test_another_site_is_asked_for_itself(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_hub_answers", lambda _: False)
    with pytest.raises(WeightsMissing):
        find_image_weights("owner/net", named={})
    with serving(files={"net.pth": b"x"}) as site:
        found = find_image_weights("net", named={"net": Url(url=f"{site.url}/net.pth")})
    assert found is not None and found.path.read_bytes() == b"x"
    with serving(status=503) as site:
        named = {"net": Url(url=f"{site.url}/other.pth")}
        site.files["/other.pth"] = b"x"
        for _ in range(2):
            with pytest.raises(WeightsMissing, match=r"on 127.0.0.1, which does not answer"):
                find_image_weights("net", named=named)
        assert site.asked == ["HEAD /other.pth"]


def test_a_name_that_is_never_looked_up_does_not_hold_anyone_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub, "PROBE_S", 0.05)
    release = Event()

    def hang() -> int:
        release.wait(30)
        return 200

    try:
        assert not hub._answers(hang)
    finally:
        release.set()


@pytest.mark.parametrize(
    ("status", "answers"), [(200, True), (302, True), (401, True), (404, True), (407, False)]
)
def test_any_answer_but_a_refusal_on_the_way_is_one(status: int, answers: bool) -> None:
    assert hub._answers(lambda: status) is answers


def test_nobody_listens(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", url)
    with pytest.raises(WeightsMissing, match=r"on the hub 127.0.0.1, which does not answer"):
        find_image_weights("owner/net", named={})


def test_a_reference_that_leads_nowhere_is_not_cached(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_hub_cache(cache, "owner/net", timm_files(b"x"))
    (folder / "model.safetensors").resolve().unlink()
    monkeypatch.setattr(hub, "_hub_answers", lambda _: False)
    with pytest.raises(WeightsMissing):
        find_image_weights("owner/net", named={})
