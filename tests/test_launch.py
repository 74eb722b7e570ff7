"""What a request is resolved to before anything runs."""

import pytest

from bench import launch
from bench.errors import UserError

SUITE = """
title = "Mine"
tasks = ["ag_news"]

[[entrants]]
label = "fastText"
family = "fasttext"

[search]
effort_epochs = 4
max_epochs = 2

[phantom_cases]
ag_news = 40
"""


@pytest.fixture
def suite(tmp_path, monkeypatch):
    """Writes a suite that names these scales, and says at which it is run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TUNEBENCH_DATA", raising=False)
    (tmp_path / "real").mkdir()
    for name in ("train", "test"):
        rows = [f'"{1 + n % 4}","{name} {n}","words of {name} {n}"' for n in range(40)]
        (tmp_path / "real" / f"{name}.csv").write_text("\n".join(rows))

    def scale(*scales, **request):
        tables = "".join(f"[scales.{name}]\n" for name in scales)
        (tmp_path / "mine.toml").write_text(SUITE + tables)
        found = launch.resolve(launch.Request(suite="mine.toml", **request))
        return found.suite.scale, found.headline

    return scale


REAL = {"data": ["ag_news=real"]}


def test_real_data_are_run_at_small_or_as_the_suite_stands(suite):
    assert suite("demo", "small", **REAL)[0] == "small"
    scale, headline = suite("demo", **REAL)
    assert scale == "full" and headline.endswith("at scale full (the suite has no [scales.small])")
    assert suite("demo", "small", scale="demo", **REAL)[0] == "demo"


def test_a_phantom_is_run_at_demo_and_not_without_it(suite):
    scale, headline = suite("demo")
    assert scale == "demo" and "PHANTOM" in headline and "--data" in headline
    with pytest.raises(UserError, match=r"the suite mine, which has no \[scales.demo\].*--data"):
        suite("small")
