"""Discovery: a file's name is its id, a typo gets a hint, a broken neighbour hides nobody."""

import sys

import pytest

from bench import registry
from bench.errors import UserError
from bench.spec import Family

PLUGIN = """
from bench.spec import Family

FAMILY = Family(
    title="Mine",
    kinds=frozenset({"image_classification"}),
    space="vision",
    build=lambda config, shape: None,
    architectures=("mine",),
)
"""


@pytest.mark.parametrize(
    "shelf",
    [
        registry.tasks,
        registry.datasets,
        registry.phantoms,
        registry.families,
        registry.spaces,
    ],
)
def test_everything_of_the_house_loads_under_its_file_s_name(shelf):
    found = shelf()
    assert found.items and not found.broken
    for id, item in found.items.items():
        assert getattr(item, "id", id) == id


def test_what_names_each_other_exists():
    for task in registry.tasks().items.values():
        assert task.dataset in registry.datasets().items
        assert task.primary in task.metrics
        assert set(task.options) >= {"image_size"} or task.kind == "text_classification"
    for family in registry.families().items.values():
        registry.space_of(family)
    assert set(registry.phantoms().items) == set(registry.datasets().items)


def test_an_unknown_name_comes_with_the_nearest_or_with_all():
    with pytest.raises(UserError, match="unknown family 'resnot': did you mean 'resnet'"):
        registry.families().get("resnot")
    with pytest.raises(UserError, match="unknown task 'q': known are ag_news, lits_cls"):
        registry.tasks().get("q")


def test_a_broken_file_is_named_with_its_error_and_hides_nobody(tmp_path, monkeypatch):
    package = tmp_path / "some_families"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "sound.py").write_text(PLUGIN)
    (package / "torn.py").write_text("import no_such_module")
    (package / "empty.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    shelf = registry._shelf("some_families", "family", "FAMILY", Family)
    assert list(shelf.items) == ["sound"]
    assert "no_such_module" in shelf.broken["torn"]
    assert "must define FAMILY = Family" in shelf.broken["empty"]
    with pytest.raises(UserError, match="family 'torn' cannot be loaded: ModuleNotFoundError"):
        shelf.get("torn")


def test_a_plug_in_joins_the_families_and_cannot_replace_one(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_plugins", {})
    (tmp_path / "mine.py").write_text(PLUGIN)
    (tmp_path / "resnet.py").write_text(PLUGIN)
    (tmp_path / "torn.py").write_text("1 / 0")
    assert registry.load_plugin(tmp_path / "mine.py").id == "mine"
    assert registry.families().get("mine").title == "Mine"
    with pytest.raises(UserError, match="there is a family 'resnet' already: rename the file"):
        registry.load_plugin(tmp_path / "resnet.py")
    with pytest.raises(UserError, match="cannot be loaded: ZeroDivisionError"):
        registry.load_plugin(tmp_path / "torn.py")
    with pytest.raises(UserError, match="does not exist"):
        registry.load_plugin(tmp_path / "absent.py")
    assert "resnet" not in registry._plugins and "tunebench_plugin_mine" not in sys.modules
