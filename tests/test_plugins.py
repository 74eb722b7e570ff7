"""Plug-ins: loaded from content, kept by runs, sent to workers; errors with file and line."""

import hashlib
import json
import os
import pickle
import re
import sys
import traceback
from dataclasses import replace
from pathlib import Path

import pytest

from bench import plugins, registry, runs, suites
from bench.errors import UserError
from bench.plugins import PluginFile
from bench.spec import Shape
from bench.tune.jobs import Context
from bench.tune.work import Workshop, failure

PLUGIN = '''"""A plug-in."""
from __future__ import annotations

from dataclasses import dataclass

from bench.spec import Choice, Family, Float, Space


@dataclass
class Settings:
    width: int = 3


def build(config, shape):
    from torch import nn

    size = shape.channels * shape.height * shape.width
    if size > 10_000:
        raise RuntimeError("too large")
    return nn.Sequential(nn.Flatten(), nn.Linear(size, shape.classes))


FAMILY = Family(
    title="Mine",
    kinds=frozenset({"image_classification"}),
    space="vision",
    build=build,
    architectures=("mine",),
    options=Space(width=Choice(1, 2)),
)
'''


@pytest.fixture(autouse=True)
def no_plugins(monkeypatch):
    """Each test begins without plug-ins and leaves none."""
    monkeypatch.setattr(registry, "_plugins", {})
    yield
    for name in [name for name in sys.modules if name.startswith("tunebench_plugin_")]:
        del sys.modules[name]


def plugin(source: str = PLUGIN, name: str = "my_net.py") -> PluginFile:
    return PluginFile(name=name, content=source.encode())


def test_a_plug_in_joins_the_families_under_its_file_s_name(tmp_path):
    (tmp_path / "my_net.py").write_text(PLUGIN)
    assert registry.plugin_hash("my_net") is None
    assert registry.load_plugin(tmp_path / "my_net.py").id == "my_net"
    assert registry.families().get("my_net").title == "Mine"
    assert registry.plugin_hash("my_net") == hashlib.sha256(PLUGIN.encode()).hexdigest()
    assert registry.plugin_hash("resnet") is None
    assert [file.name for file in registry.plugin_files()] == ["my_net.py"]


def test_the_same_content_twice_is_one_plug_in_and_another_is_refused():
    first = registry.add_plugin(plugin())
    assert registry.add_plugin(plugin()) is first
    with pytest.raises(
        UserError, match=r"my_net\.py: there is another plug-in of that name.*renam"
    ):
        registry.add_plugin(plugin(PLUGIN + "\n"))
    assert registry.families().get("my_net") is first


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"FAMILY = Family(": "FAMILY = Family(("}, "my_net.py, line 23: SyntaxError: '(' was nev"),
        ({"@dataclass\nclass": "1 / 0\nclass"}, "my_net.py, line 9: ZeroDivisionError: division"),
        ({"@dataclass\nclass": "import sys; sys.exit(3)\nclass"}, "my_net.py, line 9: SystemExit"),
        (
            {"from dataclasses import dataclass": "import my_blocks"},
            "my_net.py, line 4: ModuleNotFoundError: No module named 'my_blocks': a plug-in may",
        ),
        ({"Choice(1, 2)": "Float(2, 1)"}, "line 29: a range needs finite low < high, got low=2"),
        ({"Choice(1, 2)": "Choice(1)"}, "line 29: a choice needs two or more different values"),
        (
            {"width=Choice(1, 2)": "a=Float(0, 1, when={'b': 1}), b=Float(0, 1, when={'a': 1})"},
            "line 29: space: 2 mistakes - a: conditions go round in a circle: a -> b -> a",
        ),
        (
            {"width=Choice(1, 2)": "batch_size=Choice(1, 2)"},
            "line 29: two spaces both name batch_s",
        ),
        ({"width=Choice(1, 2)": "leave_out=Choice(1, 2)"}, "line 29: two spaces both name leave_o"),
        ({'"vision"': '"visoin"'}, "my_net.py, line 26: unknown space 'visoin': did you mean 'vis"),
        ({"FAMILY =": "MODEL ="}, "my_net.py: the file must define FAMILY = Family(...)"),
        ({"FAMILY = Family(": "FAMILY = dict("}, "line 23: FAMILY must be a Family(...), got dict"),
        ({'"image_classification"': '"images"'}, "line 25: unknown kind 'images'"),
        (
            {"build=build": "build=None"},
            "line 27: build must be a function of (config, shape), got",
        ),
        ({'("mine",)': '("mine")'}, "line 28: architectures must be a tuple of one or more names"),
        ({"Space(width=Choice(1, 2))": "{}"}, "line 29: options must be a Space(...), got dict {}"),
        ({'    title="Mine",\n': ""}, "line 23: TypeError: Family.__init__() missing 1 required"),
    ],
)
def test_what_is_wrong_is_one_line_with_file_and_line(changes, said):
    source = PLUGIN
    for old, new in changes.items():
        assert old in source
        source = source.replace(old, new)
    with pytest.raises(UserError) as caught:
        registry.add_plugin(plugin(source))
    text = str(caught.value)
    assert text.startswith("my_net.py") and said in text and "\n" not in text
    assert "my_net" not in registry.families().items
    assert "tunebench_plugin_my_net" not in sys.modules


def test_content_that_is_no_text_is_one_line_too():
    for content in (b"\xff\xfe = 1\n", b"FAMILY = 1\0\n"):
        with pytest.raises(UserError, match=r"^my_net\.py.*Error"):
            registry.add_plugin(PluginFile(name="my_net.py", content=content))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("absent.py", "there is no file"),
        ("folder.py", "there is no file"),
        ("notes.txt", "a plug-in is one Python file with FAMILY"),
        ("my-net.py", "letters, digits and underscores, got 'my-net.py': rename it"),
        ("2nets.py", "letters, digits and underscores"),
        ("resnet.py", "there is a family 'resnet' already: rename the file"),
    ],
)
def test_a_file_that_can_be_no_plug_in_is_refused(tmp_path, name, said):
    (tmp_path / "folder.py").mkdir()
    for file in ("notes.txt", "my-net.py", "2nets.py", "resnet.py"):
        (tmp_path / file).write_text(PLUGIN)
    with pytest.raises(UserError) as caught:
        registry.load_plugin(tmp_path / name)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert registry.plugin_files() == ()


def test_a_traceback_shows_the_lines_of_a_file_that_is_gone():
    family = registry.add_plugin(plugin())
    shape = shaped(height=2000)
    with pytest.raises(RuntimeError) as caught:
        family.build({}, shape)
    shown = "".join(traceback.format_exception(caught.value))
    assert 'plugins/my_net.py", line 19, in build' in shown
    assert 'raise RuntimeError("too large")' in shown
    assert plugins.where(caught.value) == "my_net.py, line 19"
    assert failure(caught.value, epoch=1).error == "RuntimeError: too large (my_net.py, line 19)"


def shaped(**sizes):
    given = {"channels": 1, "height": 8, "width": 8} | sizes
    return Shape(kind="image_classification", classes=3, **given)


# --- What travels ---------------------------------------------------------------------------


def context(*files: PluginFile, **environment: str) -> Context:
    return Context(
        studies={},
        prepared={},
        raw={},
        options={},
        checkpoints="",
        checkpoint_every_s=1,
        deadline=None,
        threads=1,
        device="cpu",
        plugins=files,
        environment=environment,
    )


def test_a_worker_needs_the_context_alone(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    sent = pickle.loads(pickle.dumps(context(plugin(), HF_HUB_OFFLINE="1")))
    Workshop(sent)
    assert registry.families().get("my_net").title == "Mine"
    assert os.environ["HF_HUB_OFFLINE"] == "1"


@pytest.fixture
def run(tmp_path):
    """A run's folder that was begun with a plug-in; the registry is empty again."""
    registry.add_plugin(plugin())
    suite = suites.resolve(suites.read("smoke"), scale="demo")
    folder = runs.RunFolder(tmp_path / "run")
    entry = {"phantom": True, "groups_known": True}
    runs.write(
        folder,
        suite=suite,
        studies=[],
        data={task: entry | {"task": task, "fold": None} for task in suite.tasks},
        provenance={},
        weights={"study": [{"name": "imagenet", "sha256": "0f", "bytes": 3}]},
    )
    registry._plugins.clear()
    return folder


def test_a_run_keeps_its_plug_ins_and_their_hashes(run):
    assert (run.plugins / "my_net.py").read_text() == PLUGIN
    content = json.loads(run.run_file.read_text())
    assert content["plugins"] == {"my_net.py": plugin().sha256}
    folder, file = runs.load(run.path)
    assert file.weights == {"study": [{"name": "imagenet", "sha256": "0f", "bytes": 3}]}
    runs.load_plugins(folder, file)
    assert registry.plugin_hash("my_net") == plugin().sha256


def test_a_run_is_gone_on_with_its_own_plug_in_and_no_other(run, tmp_path):
    given = tmp_path / "my_net.py"
    given.write_text(PLUGIN)
    runs.load_plugins(*runs.load(run.path), given=[given])
    registry._plugins.clear()
    given.write_text(PLUGIN + "\n")
    with pytest.raises(UserError, match=rf"{given} is not the my_net\.py that the run began with"):
        runs.load_plugins(*runs.load(run.path), given=[given])
    assert registry.plugin_files() == ()


def test_a_plug_in_that_was_changed_in_the_run_s_folder_is_found(run):
    (run.plugins / "my_net.py").write_text(PLUGIN.replace("Mine", "Yours"))
    with pytest.raises(
        UserError, match=r"plugins/my_net\.py is not the plug-in that the run began"
    ):
        runs.load_plugins(*runs.load(run.path))
    (run.plugins / "my_net.py").unlink()
    with pytest.raises(UserError, match=r"there is no file .*my_net\.py"):
        runs.load_plugins(*runs.load(run.path))


def test_a_run_from_before_runs_kept_plug_ins_takes_the_one_that_is_given(run, tmp_path):
    content = json.loads(run.run_file.read_text())
    del content["plugins"], content["weights"]
    run.run_file.write_text(json.dumps(content))
    (tmp_path / "my_net.py").write_text(PLUGIN)
    folder, file = runs.load(run.path)
    assert file.plugins == {} and file.weights == {}
    runs.load_plugins(folder, file, given=[tmp_path / "my_net.py"])
    assert registry.families().get("my_net").title == "Mine"


def test_the_record_of_a_run_holds_nothing_of_the_environment(run, monkeypatch):
    text = run.run_file.read_text()
    assert str(Path.home()) not in text
    assert not re.search(r"(?i)token|secret|password", text.replace("tokenizer", ""))
    assert "environment" not in text


def test_a_file_is_told_by_its_bytes():
    one = plugin()
    assert replace(one, content=one.content.replace(b"\n", b"\r\n")).sha256 != one.sha256
    registry.add_plugin(replace(one, content=one.content.replace(b"\n", b"\r\n")))
    assert registry.families().get("my_net").title == "Mine"
