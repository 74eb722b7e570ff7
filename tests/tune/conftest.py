"""What tests of the engine share."""

from __future__ import annotations

import pytest

from bench.tune import watchdog
from tests.tune.alarm import Alarm


@pytest.fixture
def alarm(monkeypatch: pytest.MonkeyPatch) -> Alarm:
    """The watchdog's alarm, which harms nobody."""
    made = Alarm()
    monkeypatch.setattr(watchdog, "faulthandler", made)
    return made
