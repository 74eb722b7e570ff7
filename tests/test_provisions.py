"""Pretrained weights before a run: found and recorded, or all that is missing in one list."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from bench import provisions, registry
from bench.errors import REMEDIES, UserError, WeightsMissing
from bench.options import WEIGHTS
from bench.spec import Choice, Entrant, Replicates, Search, Space, Study, Weights
from tests.train.synthetic import SMALL, make_task


class Store:
    """A family's `weights`: a file for each depth, where it lies; counts what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, []

    def __call__(self, config):
        self.asked.append((config["weights"], config["depth"]))
        name = config["weights"]
        if name == "none":
            return None
        if name == "unknown":
            raise UserError("unknown weights 'unknown': known are none, imagenet")
        path = Path(name).absolute()
        if name == "imagenet":
            path = self.folder / f"resnet{config['depth']}.pth"
        if not path.exists():
            raise WeightsMissing(name, [f"the cache {path}", "no hub answers"])
        return Weights(name=name, path=path)


@pytest.fixture
def store(tmp_path, monkeypatch):
    store = Store(tmp_path)
    for depth in (18, 34):
        (tmp_path / f"resnet{depth}.pth").write_bytes(b"%d" % depth)
    options = Space(depth=Choice(18, 34, 50)) | WEIGHTS
    family = replace(SMALL, id="nets", options=options, weights=store)
    shelf = registry.Shelf("family", {"nets": family, "small": SMALL}, {})
    monkeypatch.setattr(registry, "families", lambda: shelf)
    tasks = {name: make_task(id=name, title=name) for name in ("first", "second")}
    monkeypatch.setattr(registry, "tasks", lambda: registry.Shelf("task", tasks, {}))
    return store


def study(label: str = "Nets", task: str = "first", family: str = "nets", **pins) -> Study:
    overrides = {name: pins.pop(name) for name in list(pins) if isinstance(pins[name], list)}
    entrant = Entrant(label=label, family=family, pin=pins, space=overrides)
    space = registry.space_of(registry.families().get(family), None, overrides)
    return Study(
        id=f"{task}-{label}",
        task=task,
        entrant=entrant,
        space=space.canonical(),
        pinned=space.held() | pins,
        search=Search(effort_epochs=4, max_epochs=2),
        replicates=Replicates(),
        seed=3,
    )


def test_what_is_found_is_recorded_by_study_without_its_place(store):
    found = provisions.find(
        [study(weights="imagenet", depth=18), study("Scratch"), study("Small", family="small")]
    )
    sha256 = hashlib.sha256(b"18").hexdigest()
    assert found == {"first-Nets": [{"name": "imagenet", "sha256": sha256, "bytes": 2}]}


def test_every_weights_that_a_search_may_draw_are_looked_for(store):
    (store.folder / "resnet50.pth").write_bytes(b"50")
    found = provisions.find([study(weights=["none", "imagenet"])])
    assert set(store.asked) == {(w, d) for w in ("none", "imagenet") for d in (18, 34, 50)}
    assert len(store.asked) == 6
    assert len(found["first-Nets"]) == 3


def test_what_is_enqueued_is_looked_for(store):
    base = study(depth=18)
    config = registry.space_of(registry.families().get("nets")).defaults(
        pinned={"depth": 34, "weights": "imagenet"}
    )
    found = provisions.find([replace(base, enqueued=(config,))])
    assert [entry["sha256"] for entry in found["first-Nets"]] == [hashlib.sha256(b"34").hexdigest()]


def test_all_that_is_missing_is_one_list_with_its_entrants_and_the_ways_out(store):
    with pytest.raises(UserError) as caught:
        provisions.find(
            [
                study("A", weights="imagenet", depth=50),
                study("B", weights="imagenet", depth=50),
                study("A", task="second", weights="imagenet", depth=50),
                study("C", weights="./absent.pth", depth=18),
                study("D", weights="unknown", depth=18),
                study("E", weights="imagenet", depth=18),
            ]
        )
    lines = str(caught.value).splitlines()
    assert lines[0] == "pretrained weights are missing: 3 mistakes"
    cache = store.folder / "resnet50.pth"
    assert lines[1] == (f"  - 'imagenet' for A, B, looked for in the cache {cache}; no hub answers")
    assert lines[2].startswith("  - './absent.pth' for C, looked for in the cache ")
    assert lines[3] == "  - D: unknown weights 'unknown': known are none, imagenet"
    assert lines[4] == f"  {REMEDIES}"
    assert len(lines) == 5


def test_one_that_is_missing_is_one_line(store):
    with pytest.raises(UserError) as caught:
        provisions.find([study(weights="imagenet", depth=50)])
    said = str(caught.value)
    assert said.startswith("pretrained weights are missing: 'imagenet' for Nets, looked for in")
    assert said.endswith(REMEDIES) and "\n" not in said


def test_a_run_goes_on_with_the_weights_that_it_began_with_alone(store):
    studies = [study(weights="imagenet", depth=18), study("Scratch")]
    recorded = provisions.find(studies)
    provisions.check_unchanged(studies, recorded)
    provisions.check_unchanged(studies, {})  # begun before runs recorded them
    (store.folder / "resnet18.pth").write_bytes(b"other")
    with pytest.raises(
        UserError, match="'imagenet' of first-Nets are not those that the run began"
    ):
        provisions.check_unchanged(studies, recorded)


def test_local_paths_become_absolute_and_names_stay(store, monkeypatch):
    monkeypatch.chdir(store.folder)
    (store.folder / "imagenet").mkdir()  # the data set's folder, say
    (store.folder / "mine").mkdir()
    (store.folder / "mine" / "net.pth").write_bytes(b"x")

    def pinned(weights: str) -> object:
        entrant = Entrant(label="Nets", family="nets", pin={"weights": weights, "depth": 18})
        return provisions.absolute(entrant).pin["weights"]

    here = str(store.folder)
    assert pinned("resnet18.pth") == f"{here}/resnet18.pth"
    assert pinned("./resnet18.pth") == f"{here}/resnet18.pth"
    assert pinned("mine") == f"{here}/mine"
    assert pinned("mine/net.pth") == f"{here}/mine/net.pth"
    assert pinned("./absent.pth") == f"{here}/absent.pth"
    assert pinned("~/absent.pth") == str(Path.home() / "absent.pth")
    for name in ("none", "imagenet", "timm/absent", "unknown"):
        assert pinned(name) == name
    entrant = Entrant(label="N", family="nets", space={"weights": ["none", "resnet18.pth"]})
    assert provisions.absolute(entrant).space == {"weights": ["none", f"{here}/resnet18.pth"]}
    unknown = Entrant(label="N", family="nowhere", pin={"weights": "./x"})
    assert provisions.absolute(unknown) == unknown
