"""An alarm in the place of faulthandler's, which would end the tests' own process."""

from __future__ import annotations

from typing import Any


class Alarm:
    """Keeps what it was set to."""

    def __init__(self) -> None:
        self.set_to: float | None = None
        self.times = 0

    def dump_traceback_later(self, seconds: float, *, exit: bool, file: Any) -> None:
        assert exit and file == 2
        self.set_to = seconds
        self.times += 1

    def cancel_dump_traceback_later(self) -> None:
        self.set_to = None
