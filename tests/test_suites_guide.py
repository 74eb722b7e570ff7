"""docs/suites.md: its example is a suite, and does what the page says."""

from __future__ import annotations

import re
from pathlib import Path

from bench import plan, suites


def test_the_example_of_the_guide_plans(project: Path, tmp_path: Path) -> None:
    page = (project / "docs" / "suites.md").read_text()
    blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 1
    file = tmp_path / "three.toml"
    file.write_text(blocks[0])
    for scale in ("demo", "full"):
        suite = suites.resolve(suites.read(str(file)), scale=scale)
        pinned, free, mixer = plan.plan(suite)
        assert free.space["depth"]["values"] == [18, 34] and "initialisation" not in free.pinned
        assert free.space["learning_rate"]["low"] == 1e-4
        assert pinned.space["optimizer"]["values"] == ["adamw", "sgd", "lion"]
        assert pinned.pinned["initialisation"] == "default"
        assert len(pinned.enqueued) == 2 and len(mixer.enqueued) == 1
