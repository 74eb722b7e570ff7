"""Discovery: a file's name is its id, a typo gets a hint, a broken neighbour hides nobody."""

import pytest

from bench import registry
from bench.errors import UserError
from bench.spec import Family

FAMILY = """
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
    (package / "sound.py").write_text(FAMILY)
    (package / "torn.py").write_text("import no_such_module")
    (package / "empty.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    shelf = registry._shelf("some_families", "family", "FAMILY", Family)
    assert list(shelf.items) == ["sound"]
    assert "no_such_module" in shelf.broken["torn"]
    assert "must define FAMILY = Family" in shelf.broken["empty"]
    with pytest.raises(UserError, match="family 'torn' cannot be loaded: ModuleNotFoundError"):
        shelf.get("torn")
