"""Where data are looked for, and that phantom and real data never meet."""

from __future__ import annotations

import errno
import multiprocessing
from contextlib import nullcontext
from pathlib import Path

import pytest

from bench import registry
from bench.data import sources
from bench.data.sources import Source, find_real, make_phantom, resolve
from bench.errors import UserError

BOTH = ("lits", "ag_news")
CASES = {"lits": 3, "ag_news": 20}


def ask(data: list[str], cache: Path, *, datasets=BOTH, allow: bool = True) -> dict[str, Source]:
    return resolve(
        datasets, data=data, phantom_cases=CASES, seed=0, allow_phantom=allow, cache=cache
    )


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.delenv("TUNEBENCH_DATA", raising=False)


@pytest.fixture(scope="module")
def _written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("written")
    for name in BOTH:
        make_phantom(name, root / name, CASES[name])
    return root


@pytest.fixture
def real(tmp_path: Path, _written: Path) -> Path:
    """A folder with both data sets that passes for real: no marker."""
    import shutil

    root = tmp_path / "real"
    shutil.copytree(_written, root)
    for name in BOTH:
        (root / name / "PHANTOM.json").unlink()
    return root


def test_a_root_holds_each_data_set_under_its_name(real: Path, tmp_path: Path) -> None:
    found = ask([str(real)], tmp_path)
    assert found == {name: Source(name, real / name, False) for name in BOTH}


def test_named_folders_come_before_the_root(real: Path, tmp_path: Path) -> None:
    (real / "ag_news").rename(tmp_path / "my=news")
    found = ask([f"ag_news={tmp_path / 'my=news'}", str(real)], tmp_path)
    assert found["ag_news"].folder == tmp_path / "my=news"
    assert found["lits"].folder == real / "lits"


def test_folders_come_out_absolute(
    real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(real.parent)
    assert ask(["real"], tmp_path)["lits"].folder == real / "lits"
    monkeypatch.setenv("TUNEBENCH_DATA", "real")
    assert ask([], tmp_path)["lits"].folder == real / "lits"


def test_with_explicit_data_there_is_no_falling_back(real: Path, tmp_path: Path) -> None:
    (real / "lits").rename(real / "LiTS17")
    with pytest.raises(UserError, match="lits was not found: looked in .*/real/lits for volume-N"):
        ask([str(real)], tmp_path)
    with pytest.raises(UserError, match="lits was not found: .*--data lits=DIR"):
        ask([f"ag_news={real / 'ag_news'}"], tmp_path)
    assert not (tmp_path / "phantoms").exists()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("agnews=/x", "unknown data set 'agnews': did you mean 'ag_news'"),
        ("lits=/not/there", "--data /not/there: there is no such folder"),
        ("/nor/this", "--data /nor/this: there is no such folder"),
    ],
)
def test_mistakes_name_their_value(tmp_path: Path, entry: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ask([entry], tmp_path)


def test_a_data_set_named_twice_is_refused(real: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lits twice"):
        ask([f"lits={real / 'lits'}", f"lits={real}"], tmp_path)


def test_phantom_and_real_data_do_not_mix(real: Path, tmp_path: Path) -> None:
    (real / "lits" / "PHANTOM.json").write_text("{}")
    with pytest.raises(UserError, match="do not share a run: generated is lits in .*ag_news"):
        ask([str(real)], tmp_path)
    assert ask([str(real)], tmp_path, datasets=["lits"])["lits"].phantom


def test_real_data_are_found_in_the_environment_then_here(
    real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_real(BOTH) is None
    Path("data").mkdir()
    (real / "lits").rename("data/lits")
    monkeypatch.setenv("TUNEBENCH_DATA", str(real))
    assert find_real(BOTH) == {"lits": tmp_path / "cwd/data/lits", "ag_news": real / "ag_news"}
    assert not any(source.phantom for source in ask([], tmp_path).values())


def test_one_missing_data_set_makes_all_phantoms(
    real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (real / "lits" / "volume-1.nii.gz").rename(real / "lits" / "other.gz")
    (real / "ag_news" / "PHANTOM.json").write_text("{}")
    monkeypatch.setenv("TUNEBENCH_DATA", str(real))
    assert find_real(["lits"]) is not None
    assert find_real(BOTH) is None, "a phantom is not real data, wherever it lies"
    found = ask([], tmp_path)
    assert all(source.phantom for source in found.values())
    version = registry.phantoms().get("lits").version
    assert found["lits"].folder == tmp_path / "phantoms" / f"lits-v{version}-3-0"


def test_without_leave_there_is_no_phantom(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="real data are needed for lits, ag_news: looked for .*data/lits"
    ):
        ask([], tmp_path, allow=False)


def test_a_phantom_is_generated_once(tmp_path: Path) -> None:
    folder = ask([], tmp_path, datasets=["ag_news"])["ag_news"].folder
    stamp = (folder / "train.csv").stat().st_mtime_ns
    assert ask([], tmp_path, datasets=["ag_news"])["ag_news"].folder == folder
    assert (folder / "train.csv").stat().st_mtime_ns == stamp


def test_a_phantom_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(folder: Path, *, cases: int, seed: int) -> None:
        (folder / "train.csv").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(
        sources, "_phantom", lambda name: sources.Phantom(version=1, cases=9, write=dies)
    )
    with pytest.raises(KeyboardInterrupt):
        make_phantom("ag_news", tmp_path / "here")
    assert not (tmp_path / "here").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["cwd"]


def test_a_phantom_needs_a_new_or_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    make_phantom("ag_news", tmp_path / "empty", 8, 0)
    assert sources.is_phantom(tmp_path / "empty")
    with pytest.raises(UserError, match="new or empty folder"):
        make_phantom("ag_news", tmp_path / "empty", 8, 0)
    with pytest.raises(UserError, match="1 or more cases, got 0"):
        make_phantom("ag_news", tmp_path / "none", 0, 0)


def phantom(monkeypatch: pytest.MonkeyPatch, *, shape: bool) -> dict[str, object]:
    """Replaces every phantom; returns what it is asked for."""
    asked: dict[str, object] = {}

    def write(folder: Path, **given: object) -> None:
        (folder / sources.MARKER).write_text("{}")
        asked.update(given)

    made = sources.Phantom(version=1, cases=9, write=write, shape=shape)
    monkeypatch.setattr(sources, "_phantom", lambda name: made)
    return asked


def test_a_phantom_of_any_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = phantom(monkeypatch, shape=True)
    make_phantom("lits", tmp_path / "here", 2, 3, shape=(9, 8, 7), progress=print)
    assert asked == {"cases": 2, "seed": 3, "shape": (9, 8, 7), "progress": print}


def test_a_phantom_without_shapes_refuses_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = phantom(monkeypatch, shape=False)
    with pytest.raises(UserError, match=r"phantom of ag_news comes in one shape, got \(9, 8, 7\)"):
        make_phantom("ag_news", tmp_path / "here", shape=(9, 8, 7))
    make_phantom("ag_news", tmp_path / "here")
    assert asked == {"cases": 9, "seed": 0}


def test_what_comes_to_a_phantoms_place_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(folder: Path, **given: object) -> None:
        """Another node is first."""
        (folder / sources.MARKER).write_text("ours")
        place.mkdir(parents=True)
        (place / name).write_text("theirs")

    made = sources.Phantom(version=1, cases=9, write=write)
    monkeypatch.setattr(sources, "_phantom", lambda name: made)
    place, name = tmp_path / "here", "notes.txt"
    with pytest.raises(UserError, match="new or empty folder"):
        make_phantom("ag_news", place)
    assert [path.name for path in place.iterdir()] == [name]
    place, name = tmp_path / "phantoms" / "ag_news-v1-9-0", sources.MARKER
    monkeypatch.setattr(sources, "locked", lambda folder: nullcontext(False))
    place.parent.mkdir()
    assert sources.cached_phantom("ag_news", None, 0, tmp_path) == place
    assert (place / name).read_text() == "theirs"
    assert list(place.parent.iterdir()) == [place]


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folder: Path, **given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder / "a.gz"))

    made = sources.Phantom(version=1, cases=9, write=full)
    monkeypatch.setattr(sources, "_phantom", lambda name: made)
    with pytest.raises(UserError, match=r"a\.gz cannot be written .*space, or choose another"):
        make_phantom("ag_news", tmp_path / "here")
    assert not list(tmp_path.glob("*here*"))


def _generate(cache: Path) -> None:
    sources.cached_phantom("ag_news", 300, 0, cache)


def test_two_processes_generate_one_phantom(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_generate, args=(tmp_path,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    folders = [path for path in (tmp_path / "phantoms").iterdir() if path.is_dir()]
    assert [path.name for path in folders] == ["ag_news-v1-300-0"]
