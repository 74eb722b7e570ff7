"""Sealed runs, as a user starts, ends and opens them."""

import shutil
import signal

import numpy as np
import pytest

from bench import launch
from bench.folders import openings_register
from bench.ledger import fold, openings, read
from tests.commands import bench, start, wait_for_lines

CHOSEN = ("--suite", "smoke", "--tasks", "lits_cls", "--entrants", "FCNN")
SHORT = ("--set", "effort_epochs=2", "--set", "max_epochs=1", "--workers", "1")


def told(done, code=2):
    """The one line that a command ended with."""
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("bench: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def state_of(run):
    return fold(read(run / "ledger.jsonl"))


def replicates_of(run):
    (study,) = state_of(run).studies.values()
    return study.replicates


def arrays_of(run, replicate):
    with np.load(run / replicate.predictions["file"], allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def place(tmp_path_factory, cache_folder):
    """A folder with a cache of its own, whose prepared test split has been taken away."""
    folder = tmp_path_factory.mktemp("sealed")
    cache = folder / "cache"
    if (cache_folder / "phantoms").exists():
        shutil.copytree(cache_folder / "phantoms", cache / "phantoms")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNEBENCH_CACHE", str(cache))
        request = launch.Request(suite="smoke", tasks=["lits_cls"], entrants=["FCNN"])
        launch.prepare(launch.resolve(request))
        (there,) = (cache / "prepared").glob("*/test")
        there.rename(folder / "taken")
        yield folder, there


@pytest.fixture(scope="module")
def sealed(place):
    """A sealed run without any test data, and what it printed."""
    folder, _ = place
    done = bench("run", *CHOSEN, *SHORT, "--sealed", "--run", "sealed", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "sealed", done.stdout


@pytest.fixture(scope="module")
def copy_of(sealed):
    """A copy of the sealed run under another name, and nothing opened in it."""

    def copy(name):
        shutil.copytree(sealed[0], sealed[0].parent / name)
        return sealed[0].parent / name

    return copy


@pytest.fixture
def with_test_data(place):
    """The prepared test split, for as long as a test needs it."""
    folder, there = place
    shutil.copytree(folder / "taken", there)
    yield
    shutil.rmtree(there)


def test_a_sealed_run_needs_no_test_data_and_opens_none(sealed):
    run, _ = sealed
    state = state_of(run)
    assert state.sealed and state.finished["state"] == "completed" and not state.unsealed
    assert not list(openings_register().parent.glob(openings_register().name))
    for replicate in replicates_of(run).values():
        assert replicate.validation_metrics and not replicate.test_metrics
        names = set(arrays_of(run, replicate))
        assert names and all(name.startswith("validation_") for name in names)


def test_its_report_and_terminal_show_validation_and_say_so(sealed):
    run, printed = sealed
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "This run is sealed" in page and "Validation scores" in page
    assert "on the test split" not in page
    for text in (page, " ".join(printed.split())):
        assert "The test split is sealed: there is no result yet." in text
        assert "bench unseal sealed" in text
    scores = [r.validation_metrics["macro_f1"] for r in replicates_of(run).values()]
    assert "validation split, the test split is sealed" in " ".join(printed.split())
    for text in (page, printed):
        assert f"{np.mean(scores):.3f}" in text


def test_resumed_it_stays_sealed_and_is_over(sealed):
    run, _ = sealed
    before = read(run / "ledger.jsonl")
    done = bench("resume", "sealed", cwd=run.parent)
    assert done.returncode == 0, done.stderr
    assert read(run / "ledger.jsonl") == before


def test_unsealing_without_the_test_data_opens_nothing(sealed):
    run, _ = sealed
    before = read(run / "ledger.jsonl")
    said = told(bench("unseal", "sealed", cwd=run.parent))
    assert "test split of lits_cls is missing" in said and "nothing was unsealed" in said
    assert read(run / "ledger.jsonl") == before


def test_only_a_finished_sealed_run_is_unsealed(sealed, copy_of):
    run, _ = sealed
    cut = copy_of("cut")
    lines = (cut / "ledger.jsonl").read_text().splitlines(keepends=True)
    (cut / "ledger.jsonl").write_text("".join(lines[:-1]))
    said = told(bench("unseal", "cut", cwd=run.parent))
    assert "only a finished run can be unsealed" in said and "bench resume cut" in said
    plain = copy_of("plain")
    text = "".join(lines).replace(', "sealed": true', "")
    (plain / "ledger.jsonl").write_text(text)
    said = told(bench("unseal", "plain", cwd=run.parent))
    assert "only a run begun with `bench run --sealed`" in said
    assert "is no run" in told(bench("unseal", "nowhere", cwd=run.parent))


@pytest.mark.slow
def test_killed_while_unsealing_and_unsealed_again(sealed, copy_of, with_test_data):
    run, name = copy_of("opened"), "opened"
    before = replicates_of(run)
    lost = next((run / "checkpoints").glob("*/replicate-1.pt"))
    lost.unlink()  # trained again before it is scored
    lines = len(read(run / "ledger.jsonl"))
    process = start("unseal", name, "--workers", "1", cwd=run.parent)
    wait_for_lines(run / "ledger.jsonl", lines + 2, process)  # unsealed, and one opening
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert state_of(run).finished is None and not state_of(run).sealed
    done = bench("unseal", name, "--workers", "1", cwd=run.parent)
    assert done.returncode == 0, done.stderr

    events = [event for event in read(run / "ledger.jsonl") if "replicate" in event]
    for kind in ("test_unsealed", "replicate_tested", "replicate_finished"):
        assert sorted(e["replicate"] for e in events if e["event"] == kind) == [0, 1, 2], kind
    fingerprint = state_of(run).unsealed[0]["fingerprint"]
    noted = [e["run"] for e in openings(openings_register(), fingerprint=fingerprint)]
    assert noted == [name] * 3
    for number, replicate in replicates_of(run).items():
        assert replicate.state == "completed" and replicate.test_metrics
        assert replicate.validation_metrics == pytest.approx(before[number].validation_metrics)
        splits = {array.partition("_")[0] for array in arrays_of(run, replicate)}
        assert splits == {"validation", "test"}
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "This run is sealed" not in page and "on the test split" in page
    assert "the run was unsealed" in page

    said = told(bench("unseal", name, cwd=run.parent))
    assert "a run is unsealed once" in said and f"bench report {name}" in said


def test_replicates_without_a_validation_score_cannot_be_sealed(tmp_path):
    said = told(
        bench(
            "run", *CHOSEN, "--sealed", "--set", "refit=train+validation", "--run", "r",
            cwd=tmp_path,
        )
    )  # fmt: skip
    assert "got refit = 'train+validation'" in said and "--set refit=train" in said
    assert not (tmp_path / "r").exists()
