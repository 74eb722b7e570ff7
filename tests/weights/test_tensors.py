"""Tensors from files, whatever wraps them, and into models: whole, or not at all."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from bench.errors import UserError
from bench.weights import channels, fill, read


class Net(nn.Module):
    def __init__(self, width: int = 4, classes: int = 3, channels: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3)
        self.norm = nn.BatchNorm2d(width)
        self.head = nn.Linear(width, classes)
        self.header = nn.Linear(classes, 1)


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def store(path: Path, content: Any) -> Path:
    save_file(content, path) if path.suffix == ".safetensors" else torch.save(content, path)
    return path


def prefixed(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": value for name, value in state.items()}


# --- Reading --------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["net.safetensors", "net.pth", "net.bin", "net.pth.tar"])
def test_a_file_is_read_as_it_was_saved(file: str, tmp_path: Path) -> None:
    state = Net().state_dict()
    assert same(read(store(tmp_path / file, state)), dict(state))


WRAPPED: list[Callable[[dict[str, Tensor]], Any]] = [
    lambda state: {"state_dict": state, "epoch": 3},
    lambda state: {"model": state, "optimizer": {"lr": torch.zeros(1)}, "args": None},
    lambda state: {"state_dict": prefixed("module.", state), "arch": "resnet50"},
    lambda state: {"state_dict": {"model": prefixed("module.", state)}},
    lambda state: prefixed("module._orig_mod.", state),
    lambda state: prefixed("backbone.", state),
    # DINO's: the heads that belong to its loss are no part of the model.
    lambda state: {
        "student": {"module.backbone.conv.weight": torch.ones(1)},
        "teacher": prefixed("module.backbone.", state) | {"module.head.mlp": torch.ones(2)},
    },
    lambda state: {"teacher": prefixed("backbone.", state) | {"head.mlp": torch.ones(2)}},
    lambda state: state | {"epoch": 4},
]


@pytest.mark.parametrize("wrap", WRAPPED)
def test_what_wraps_the_weights_is_taken_off(
    wrap: Callable[[dict[str, Tensor]], Any], tmp_path: Path
) -> None:
    state = dict(Net().state_dict())
    assert same(read(store(tmp_path / "net.pth", wrap(state))), state)


def test_a_prefix_that_not_all_names_have_stays(tmp_path: Path) -> None:
    # torchvision's segmenters: `backbone.` is a part of them.
    state = prefixed("backbone.", Net().state_dict()) | {"classifier.0.weight": torch.ones(1)}
    assert same(read(store(tmp_path / "net.pth", state)), state)


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [torch.ones(1)], torch.ones(1), 5])
def test_a_file_without_named_tensors_is_a_mistake(content: Any, tmp_path: Path) -> None:
    path = store(tmp_path / "net.pth", content)
    with pytest.raises(UserError, match=r"a weights file holds tensors by name, .*net.pth holds"):
        read(path)


class Code:
    ran = False

    def __setstate__(self, _: object) -> None:
        Code.ran = True


@pytest.mark.parametrize("content", [Code(), {"model": Net()}, {"date": datetime.date.today()}])
def test_nothing_but_tensors_is_unpickled(content: Any, tmp_path: Path) -> None:
    path = store(tmp_path / "net.pth", {"state_dict": {"a": torch.ones(1)}, "more": content})
    with pytest.raises(UserError, match=r"read as tensors only, .*net.pth holds other.*safetenso"):
        read(path)
    assert not Code.ran


def test_the_object_that_was_refused_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"other objects \(.*test_tensors\.Net\)"):
        read(store(tmp_path / "net.pth", Net()))


@pytest.mark.parametrize("file", ["net.safetensors", "net.pth"])
@pytest.mark.parametrize("keep", [0, 10, 300])
def test_a_damaged_file_is_a_mistake(file: str, keep: int, tmp_path: Path) -> None:
    path = store(tmp_path / file, Net().state_dict())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=rf"{file} cannot be read \(\w+\): it may be damaged"):
        read(path)


def test_bytes_of_another_kind_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(b"<html>not found</html>")
    with pytest.raises(UserError, match=r"net.bin"):
        read(tmp_path / "net.bin")


def test_a_convolution_tells_the_channels(tmp_path: Path) -> None:
    assert channels(store(tmp_path / "colour.pth", Net().state_dict())) == 3
    assert channels(store(tmp_path / "grey.pth", Net(channels=1).state_dict())) is None
    # Another file of the same name is another file.
    assert channels(store(tmp_path / "colour.pth", Net(width=5, channels=1).state_dict())) is None


# --- Filling --------------------------------------------------------------------------------


def filled(path: Path, model: nn.Module, head: tuple[str, ...] = ("head",)) -> dict[str, Tensor]:
    fill(model, path, head=head)
    return dict(model.state_dict())


@pytest.mark.parametrize("file", ["net.safetensors", "net.pth"])
def test_a_model_is_filled(file: str, tmp_path: Path) -> None:
    given = dict(Net().state_dict())
    assert same(filled(store(tmp_path / file, given), Net()), given)


def test_a_head_of_other_classes_stays_as_it_is(tmp_path: Path) -> None:
    given, model = Net(classes=3).state_dict(), Net(classes=5)
    model.header = nn.Linear(3, 1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = filled(store(tmp_path / "net.pth", given), model)
    for name in found:
        source = before if name in ("head.weight", "head.bias") else given
        assert torch.equal(found[name], source[name]), name
    assert not torch.equal(before["conv.weight"], given["conv.weight"])


def test_a_head_may_be_absent_or_another(tmp_path: Path) -> None:
    given = {name: value for name, value in Net().state_dict().items() if "head." not in name}
    fill(Net(), store(tmp_path / "less.pth", given), head=["head"])
    fill(Net(), store(tmp_path / "more.pth", given | {"head.2.bias": torch.ones(2)}), head=["head"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("conv.bias"), "conv.bias is not in the file: name weights of"),
        (lambda state: state.pop("norm.running_var"), "norm.running_var is not in the file"),
        (
            lambda state: state.update({"conv.weight": torch.ones(4, 1, 3, 3)}),
            r"conv.weight is (4, 1, 3, 3) in the file, (4, 3, 3, 3) in the model",
        ),
        (
            lambda state: state.update({"more.weight": torch.ones(1)}),
            "more.weight has no place in the model",
        ),
        # `header` is not below `head`.
        (lambda state: state.pop("header.bias"), "header.bias is not in the file"),
        (
            lambda state: [state.pop(name) for name in list(state) if name.startswith("norm")],
            "norm.weight is not in the file; norm.bias is not in the file; norm.running_mean is "
            "not in the file and 1 more",
        ),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_loaded(
    change: Callable[[dict[str, Tensor]], object], message: str, tmp_path: Path
) -> None:
    given, model = dict(Net().state_dict()), Net()
    change(given)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    path = store(tmp_path / "net.pth", given)
    with pytest.raises(UserError) as caught:
        fill(model, path, head=["head"])
    assert message in str(caught.value) and str(path) in str(caught.value)
    assert 'weights = "none"' in str(caught.value) and "\n" not in str(caught.value)
    assert same(before, dict(model.state_dict()))


def test_batches_need_not_have_been_counted(tmp_path: Path) -> None:
    given = {k: v for k, v in Net().state_dict().items() if "num_batches" not in k}
    found = filled(store(tmp_path / "old.pth", given), Net())
    assert same({name: found[name] for name in given}, given)


@given(data=st.data())
def test_all_but_the_head_is_the_files_or_it_is_an_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    given_, model = dict(Net().state_dict()), Net()
    gone = data.draw(st.sets(st.sampled_from(sorted(given_))))
    for name in gone:
        del given_[name]
    path = store(tmp_path_factory.mktemp("drawn") / "net.pth", given_ | {"head.x": torch.ones(1)})
    harmless = {"head.weight", "head.bias", "norm.num_batches_tracked"}
    if gone <= harmless:
        found = filled(path, model)
        assert same({name: found[name] for name in given_}, given_)
    else:
        with pytest.raises(UserError):
            fill(model, path, head=["head"])
