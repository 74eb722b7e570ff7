"""The dry step before a run: what models do wrong is said at once, in one list, with places."""

import shutil
import sys
from dataclasses import replace

import pytest

from bench import preflight, registry
from bench.errors import UserError
from bench.plugins import PluginFile
from bench.rehearsal import CASES, Apart, Part, Rehearsed, rehearse, take
from bench.spec import Choice, Entrant, Replicates, Search, Shape, Space, Study
from tests.commands import bench
from tests.train.synthetic import (
    SMALL,
    make_config,
    make_task,
    write_images,
    write_masks,
    write_texts,
)

PLUGIN = """
from bench.spec import Family


def build(config, shape):
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(shape.channels * shape.height * shape.width, shape.classes)
            self.spare = nn.Linear(2, 2)

        def forward(self, images):
            logits = self.linear(images.flatten(1))
            return logits

    return Net()


FAMILY = Family(
    title="Mine",
    kinds=frozenset({"image_classification", "image_segmentation"}),
    space="vision",
    build=build,
    architectures=("mine",),
)
"""


@pytest.fixture(autouse=True)
def no_plugins(monkeypatch):
    monkeypatch.setattr(registry, "_plugins", {})
    yield
    for name in [name for name in sys.modules if name.startswith("tunebench_plugin_")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"))


def family_of(source: str):
    registry._plugins.clear()
    return registry.add_plugin(PluginFile(name="mine.py", content=source.encode()))


def step(family, data, kind="image_classification", **changes):
    return rehearse(
        family=family,
        task=make_task(kind),
        config=make_config(**changes),
        data=data,
        seed=1,
        max_epochs=3,
    )


def test_a_sound_plug_in_passes_and_its_idle_parameters_are_named(images):
    found = step(family_of(PLUGIN), images)
    assert found.parameters == 256 * 3 + 3 + 6
    assert 0.5 < found.loss < 3
    assert found.idle == ("spare.weight", "spare.bias")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "return logits",
            "return logits[:, :2]",
            "mine.py, line 15: forward gives (3, 2), must give (3, 3): (batch, classes)",
        ),
        (
            "return logits",
            "return {'logits': logits}",
            "mine.py, line 15: forward gives a dict, must give a tensor of logits (batch, classes)",
        ),
        (
            "return logits",
            "return logits.argmax(1)",
            "line 15: forward gives (3,), must give (3, 3)",
        ),
        (
            "return logits",
            "return logits.long()",
            "line 15: forward gives torch.int64, must give fl",
        ),
        (
            "return logits",
            "return logits / 0",
            "mine.py, line 15: the training loss is not finite in the first step",
        ),
        ("return logits", "return logits.detach()", "mine.py, line 15: RuntimeError: element 0 of"),
        (
            "images.flatten(1)",
            "images.flatten(0)",
            "mine.py, line 16: RuntimeError: ",
        ),
        (
            "return Net()",
            "return Net",
            "mine.py, line 5: build gives a type, must give a torch.nn.Module",
        ),
        (
            "return Net()",
            "return nn.Sequential(nn.Flatten(), nn.Linear(256, 5))",
            "mine.py, line 5: forward gives (3, 5), must give (3, 3)",
        ),
        ("import torch", "import tortch", "line 6: ModuleNotFoundError: No module named 'tortch'"),
        (
            "return Net()",
            "from bench.errors import UserError; raise UserError('sizes are even: add 1')",
            "mine.py, line 19: sizes are even: add 1",
        ),
        (
            "logits = self.linear(images.flatten(1))",
            "logits = self.linear(images.flatten(1)) + (0 * self.linear.bias).sqrt()",
            "mine.py, line 15: the gradient of linear.bias is not finite after one step",
        ),
    ],
)
def test_a_plug_in_that_is_wrong_is_said_with_file_and_line(images, old, new, said):
    assert PLUGIN.count(old) == 1 or old == "import torch"
    with pytest.raises(UserError) as caught:
        step(family_of(PLUGIN.replace(old, new, 1)), images)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_segmenter_that_shrinks_its_images_is_found(tmp_path):
    source = PLUGIN.replace(
        "self.linear = nn.Linear(shape.channels * shape.height * shape.width, shape.classes)",
        "self.linear = nn.Conv2d(shape.channels, shape.classes, 3)",
    ).replace(".flatten(1)", "")
    said = (
        r"line 15: forward gives \(3, 3, 14, 14\), must give \(3, 3, 16, 16\): \(batch, classes, h"
    )
    with pytest.raises(UserError, match=said):
        step(family_of(source), write_masks(tmp_path), "image_segmentation")


def test_an_image_size_that_a_family_cannot_take_keeps_its_rule(tmp_path):
    family = registry.families().get("convmixer")
    config = registry.space_of(family).defaults(pinned={"patch_size": 14, "width": 32, "depth": 2})
    with pytest.raises(UserError, match="patch_size 14 .* got 8x8"):
        rehearse(
            family=family,
            task=make_task(),
            config=config,
            data=write_images(tmp_path, size=8),
            seed=1,
            max_epochs=3,
        )


def test_a_step_sees_a_few_training_cases_and_no_test_case(tmp_path):
    seen = []

    def build(config, shape):
        model = SMALL.build(config, shape)
        model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape))
        return model

    data = write_images(tmp_path)
    shutil.rmtree(tmp_path / "test")
    step(replace(SMALL, build=build), data, batch_size=32)
    assert [tuple(shape) for shape in seen] == [(CASES, 1, 16, 16)]


def test_texts_with_sparse_gradients_pass(tmp_path):
    family = registry.families().get("fasttext")
    found = rehearse(
        family=family,
        task=make_task("text_classification"),
        config=registry.space_of(family).defaults(),
        data=write_texts(tmp_path),
        seed=1,
        max_epochs=2,
    )
    assert found.idle == ()


DEADLY = PLUGIN.replace("return Net()", "import os; os._exit(9)")


@pytest.mark.slow
def test_a_process_apart_takes_plug_ins_and_outlives_what_kills_it(tmp_path):
    family_of(PLUGIN)
    deadly = PluginFile(name="deadly.py", content=DEADLY.encode())
    registry.add_plugin(deadly)

    def part(family: str) -> Part:
        space = registry.space_of(registry.families().get(family))
        return Part(
            family=family,
            task="lits_cls",
            config=space.defaults(),
            data=write_images(tmp_path / family).root,
            seed=0,
            max_epochs=1,
        )

    with Apart() as step:
        assert "died" in str(step(part("deadly")))
        assert isinstance(step(part("mine")), Rehearsed)


# --- A plan's entrants ----------------------------------------------------------------------


class Built:
    """Counts what is built, by its option."""

    def __init__(self) -> None:
        self.names: list[object] = []

    def __call__(self, config, shape: Shape):
        self.names.append(config.get("architecture"))
        if config.get("architecture") == "broken":
            raise UserError("no such net: choose another")
        return SMALL.build(config | {"norm": True, "dropout": 0.0}, shape)


@pytest.fixture
def built(monkeypatch, images):
    """A family with searched architectures, on two tasks of one shape."""
    built = Built()
    options = Space(architecture=Choice("one", "two", "broken"), width=Choice(1, 2))
    family = replace(SMALL, id="nets", build=built, options=options)
    tasks = {name: make_task(id=name, title=name) for name in ("first", "second")}
    monkeypatch.setattr(
        registry, "families", lambda: registry.Shelf("family", {"nets": family}, {})
    )
    monkeypatch.setattr(registry, "tasks", lambda: registry.Shelf("task", tasks, {}))
    return built


def study(task: str, label: str = "Nets", enqueued=(), **pinned) -> Study:
    family = registry.families().get("nets")
    space = registry.space_of(family)
    return Study(
        id=f"{task}-{label}",
        task=task,
        entrant=Entrant(label=label, family="nets", pin=pinned),
        space=space.canonical(),
        pinned=space.held() | pinned,
        enqueued=enqueued,
        search=Search(effort_epochs=4, max_epochs=2),
        replicates=Replicates(),
        seed=3,
    )


def test_every_net_that_a_search_may_draw_is_built_and_the_wrong_one_named(built, images):
    findings = list(preflight.entrants([study("first")], {"first": images}, take))
    assert built.names == ["one", "two", "broken"]
    assert [finding.subject for finding in findings] == [
        "first, Nets",
        "first, Nets (architecture = 'two')",
        "first, Nets (architecture = 'broken')",
    ]
    assert [finding.mistake for finding in findings] == [None, None, "no such net: choose another"]


def test_what_studies_share_is_rehearsed_once_and_told_of_each(built, images):
    studies = [
        study("first", architecture="one"),
        study("second", architecture="one"),
        study("second", "Again", architecture="one"),
        study("second", "Other", architecture="one", width=2),
    ]
    findings = list(preflight.entrants(studies, {"first": images, "second": images}, take))
    assert built.names == ["one", "one"]
    assert [finding.subject for finding in findings] == [
        "first, Nets",
        "second, Nets",
        "second, Again",
        "second, Other",
    ]


def test_what_is_enqueued_is_rehearsed_where_its_own_options_differ(built, images):
    first = study("first", architecture="one")
    space = registry.space_of(registry.families().get("nets"))
    slow, wide = (
        space.defaults(pinned=first.pinned | change)
        for change in ({"learning_rate": 1e-4}, {"width": 2})
    )
    findings = list(
        preflight.entrants([replace(first, enqueued=(slow, wide))], {"first": images}, take)
    )
    assert [finding.subject for finding in findings] == ["first, Nets", "first, Nets (width = 2)"]


def test_one_fault_of_all_of_a_study_s_nets_is_said_once(built, images, monkeypatch):
    def fails(config, shape):
        raise UserError("nothing works here")

    shelf = registry.families()
    broken = replace(shelf.items["nets"], build=fails)
    monkeypatch.setattr(registry, "families", lambda: replace(shelf, items={"nets": broken}))
    findings = list(preflight.entrants([study("first")], {"first": images}, take))
    assert [finding.mistake for finding in findings] == ["nothing works here"]


# --- As a user meets it ---------------------------------------------------------------------

SUITE = """
title = "Mine"
tasks = ["lits_cls"]

[[entrants]]
label = "FCNN"
family = "fcnn"

[[entrants]]
label = "Narrow"
family = "mine"

[[entrants]]
label = "ConvMixer"
family = "convmixer"
pin = { patch_size = 14, width = 32, depth = 2 }

[search]
effort_epochs = 2
max_epochs = 2

[replicates]
seeds = 2

[options]
image_size = 8

[scales.demo]
phantom_cases = { lits = 8 }
"""


def test_run_refuses_with_one_list_and_begins_nothing(tmp_path):
    (tmp_path / "mine.toml").write_text(SUITE)
    (tmp_path / "mine.py").write_text(PLUGIN.replace("return logits", "return logits[:, :2]"))
    chosen = ("--suite", "mine.toml", "--scale", "demo", "--plugins", "mine.py")
    done = bench("run", *chosen, "--run", "begun", cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    said = done.stderr.splitlines()
    assert said[0] == "bench: suite mine is not ready: 2 mistakes"
    assert said[1] == (
        "  - lits_cls, Narrow: mine.py, line 15: forward gives (3, 2), must give (3, 3): "
        "(batch, classes)"
    )
    assert said[2].startswith("  - lits_cls, ConvMixer: ") and "14" in said[2] and "8x8" in said[2]
    assert len(said) == 3
    assert not (tmp_path / "begun").exists()
    checked = bench("check", *chosen, cwd=tmp_path)
    assert checked.returncode == 2 and checked.stderr == done.stderr
    assert "ok   lits_cls, FCNN:" in checked.stdout
