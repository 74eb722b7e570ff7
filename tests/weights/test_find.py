"""Names, paths and repositories as weights; what a folder says of its images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import constants

from bench.errors import REMEDIES, UserError, WeightsMissing
from bench.weights import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Hub,
    Source,
    Url,
    find_image_weights,
    find_text_model,
)
from tests.weights.stored import MEAN, STD, TEXT, TIMM, timm_files, write, write_hub_cache

pytestmark = pytest.mark.usefixtures("cache", "unasked")
NAMED: dict[str, Source] = {
    "imagenet": Url(url="https://example.org/some/net-0123abcd.pth"),
    "timm": Hub(repo="timm/resnet18.a1_in1k"),
    "odd": Hub(repo="owner/odd", filename="net.bin", mean=(0.5,), std=(0.25,)),
}


def test_none_is_no_weights() -> None:
    assert find_image_weights("none", named=NAMED) is None
    assert find_text_model("none") is None


def test_a_named_file_comes_from_the_cache_of_torch_hub(tmp_path: Path) -> None:
    kept = write(tmp_path / "torch" / "hub" / "checkpoints", {"net-0123abcd.pth": b"x"})
    found = find_image_weights("imagenet", named=NAMED)
    assert found is not None and found.path == kept / "net-0123abcd.pth"
    assert (found.name, found.mean, found.std) == ("imagenet", IMAGENET_MEAN, IMAGENET_STD)


@pytest.mark.parametrize("name", ["timm", "timm/resnet18.a1_in1k"])
def test_a_repository_comes_from_the_cache_of_the_hub(name: str, cache: Path) -> None:
    folder = write_hub_cache(cache, "timm/resnet18.a1_in1k", timm_files(b"x"))
    found = find_image_weights(name, named=NAMED)
    assert found is not None and found.path == folder / "model.safetensors"
    assert (found.name, found.mean, found.std) == (name, tuple(MEAN), tuple(STD))


def test_safetensors_are_preferred_to_pickles(cache: Path, tmp_path: Path) -> None:
    files = timm_files(b"x") | {"pytorch_model.bin": b"y"}
    write_hub_cache(cache, "owner/net", files)
    write(tmp_path / "folder", files)
    for name in ("owner/net", str(tmp_path / "folder")):
        found = find_image_weights(name, named={})
        assert found is not None and found.path.name == "model.safetensors"


def test_a_family_may_know_better_than_the_repository(cache: Path) -> None:
    write_hub_cache(cache, "owner/odd", timm_files(b"x", name="net.bin"))
    found = find_image_weights("odd", named=NAMED)
    assert found is not None and found.path.name == "net.bin"
    assert (found.mean, found.std) == ((0.5,), (0.25,))


@pytest.mark.parametrize("file", ["net.pth", "net.pt", "net.bin", "net.safetensors", "net.pth.tar"])
def test_a_file_is_named_by_its_path(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "models", timm_files(b"x", name=file))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (f"{tmp_path}/models/{file}", f"models/{file}", f"./models/{file}"):
        found = find_image_weights(name, named=NAMED)
        assert found is not None and found.path == tmp_path / "models" / file
        # A file of any name may lie beside another model's configuration.
        assert (found.name, found.mean) == (name, ())
    assert find_image_weights(f"~/models/{file}", named={}) is not None


TRANSFORMERS = {"image_mean": MEAN, "image_std": STD}


@pytest.mark.parametrize(
    ("file", "content", "mean", "std"),
    [
        ("config.json", TIMM, MEAN, STD),
        ("config.json", {"mean": MEAN, "std": STD}, MEAN, STD),
        ("config.json", {"num_classes": 3, "pretrained_cfg": None}, [], []),
        ("preprocessor_config.json", TRANSFORMERS, MEAN, STD),
        ("preprocessor_config.json", TRANSFORMERS | {"rescale_factor": 1 / 255}, MEAN, STD),
        ("preprocessor_config.json", TRANSFORMERS | {"rescale_factor": 1 / 127.5}, [], []),
        ("preprocessor_config.json", TRANSFORMERS | {"do_normalize": False}, [0] * 3, [1] * 3),
        ("other.json", TRANSFORMERS, [], []),
    ],
)
@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_a_folder_says_how_its_images_were_normalised(
    weights: str, file: str, content: object, mean: list[float], std: list[float], tmp_path: Path
) -> None:
    write(tmp_path / "net", {weights: b"x", file: json.dumps(content).encode()})
    for name in (str(tmp_path / "net"), str(tmp_path / "net" / weights)):
        found = find_image_weights(name, named={})
        assert found is not None and found.path == tmp_path / "net" / weights
        assert (found.mean, found.std) == (tuple(mean), tuple(std))


def test_a_folder_may_hold_one_file_of_any_name(tmp_path: Path) -> None:
    folder = write(tmp_path / "net", {"best.pth": b"x", "notes.txt": b""})
    found = find_image_weights(str(folder), named={})
    assert found is not None and found.path == folder / "best.pth"
    write(folder, {"last.pth": b"y"})
    with pytest.raises(UserError, match=r"holds 2 \(best.pth, last.pth\): name one of them"):
        find_image_weights(str(folder), named={})


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe"])
def test_a_damaged_description_is_a_mistake(content: bytes, tmp_path: Path) -> None:
    write(tmp_path, {"model.safetensors": b"x", "config.json": content})
    with pytest.raises(UserError, match=r"config.json must be a JSON file"):
        find_image_weights(str(tmp_path), named={})


@pytest.mark.parametrize(
    ("mean", "std"), [([0.5], [0.1, 0.2]), ("abc", "def"), ([], []), ([0.5], [0.0]), (0.5, 0.1)]
)
def test_impossible_statistics_are_a_mistake(mean: object, std: object, tmp_path: Path) -> None:
    table = json.dumps({"mean": mean, "std": std}).encode()
    write(tmp_path, {"model.safetensors": b"x", "config.json": table})
    with pytest.raises(UserError, match=r"mean and std are numbers, one a channel, std above 0"):
        find_image_weights(str(tmp_path), named={})


@pytest.mark.parametrize(
    ("name", "looked"),
    [
        ("/no/such/net.pth", "/no/such/net.pth, where nothing lies"),
        ("~/no-such-folder", "no-such-folder, where nothing lies"),
        ("~nobody-of-this-name/net", "~nobody-of-this-name/net, where nothing lies"),
        ("owner/net.safetensors", "net.safetensors, where nothing lies"),
        ("folder/", "folder, where nothing lies"),
    ],
)
def test_a_path_must_lie_there(name: str, looked: str) -> None:
    for find in (lambda: find_image_weights(name, named=NAMED), lambda: find_text_model(name)):
        with pytest.raises(WeightsMissing) as caught:
            find()
        assert looked.partition(",")[0] in str(caught.value) and REMEDIES in str(caught.value)
        assert caught.value.name == name


def test_an_empty_folder_holds_no_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"the folder .*, which holds no weights file"):
        find_image_weights(str(tmp_path), named=NAMED)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("imagenett", "did you mean 'imagenet'"),
        ("qqqq", "known are imagenet, none, odd, timm"),
        ("a/b/c", 'named "owner/name" on the hub'),
        ("owner/na me", "known are"),
        ("", "known are"),
        ("n" * 5000, "known are"),
    ],
)
def test_a_name_that_is_nothing_is_a_mistake(name: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        find_image_weights(name, named=NAMED)
    assert hint in str(caught.value) and not isinstance(caught.value, WeightsMissing)


# --- Text models ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bert-base-uncased", "google-bert/bert-base-uncased"])
def test_a_text_model_is_a_folder_of_the_cache(name: str, cache: Path) -> None:
    folder = write_hub_cache(cache, name, TEXT)
    found = find_text_model(name)
    assert found is not None and (found.name, found.path, found.mean) == (name, folder, ())


def test_a_text_model_is_a_local_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "models" / "bert", TEXT)
    monkeypatch.chdir(tmp_path)
    for name in (str(folder), "models/bert"):
        found = find_text_model(name)
        assert found is not None and found.path == folder


@pytest.mark.parametrize("file", ["vocab.txt", "vocab.json", "spiece.model", "any.model"])
def test_a_tokenizer_comes_in_many_files(file: str, tmp_path: Path) -> None:
    files = {name: content for name, content in TEXT.items() if name != "tokenizer.json"}
    assert find_text_model(str(write(tmp_path / "net", files | {file: b"x"}))) is not None


def test_a_text_model_may_lie_in_several_files(tmp_path: Path) -> None:
    files = {name: content for name, content in TEXT.items() if name != "model.safetensors"}
    parts = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    index = json.dumps({"weight_map": {"a": parts[0], "b": parts[1], "c": parts[0]}}).encode()
    folder = write(tmp_path / "net", files | {"model.safetensors.index.json": index, parts[0]: b""})
    with pytest.raises(WeightsMissing, match=f"which lacks {parts[1]}"):
        find_text_model(str(folder))
    write(folder, {parts[1]: b""})
    assert find_text_model(str(folder)) is not None


@pytest.mark.parametrize(
    ("without", "problem"),
    [
        ("config.json", "which holds no config.json"),
        ("model.safetensors", "which holds no model.safetensors or pytorch_model.bin"),
        ("tokenizer.json", "which holds no tokenizer"),
    ],
)
def test_an_incomplete_text_model_is_missing(
    without: str, problem: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {name: content for name, content in TEXT.items() if name != without}
    with pytest.raises(WeightsMissing, match=problem):
        find_text_model(str(write(tmp_path / "net", files)))
    write_hub_cache(cache, "owner/net", files)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsMissing, match=r"not on the hub huggingface.co: HF_HUB_OFFLINE"):
        find_text_model("owner/net")


def test_a_file_is_no_text_model(tmp_path: Path) -> None:
    write(tmp_path, {"model.safetensors": b"x"})
    with pytest.raises(WeightsMissing, match=r"model.safetensors, where no folder lies"):
        find_text_model(str(tmp_path / "model.safetensors"))
    with pytest.raises(UserError, match=r'weights are "none", a hub\'s name'):
        find_text_model("not a name")
