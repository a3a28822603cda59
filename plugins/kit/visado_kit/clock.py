"""Time for tests: it stands still until told."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


def _now() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Clock:
    """A clock that stands still, at first at the present: `open_host(folder, settings, clock=clock)`.

    `now` is in ms since 1970. Move it forwards only: libraries that look at the system's clock would take what was
    made in a past that never was for outdated.
    """

    now: int = field(default_factory=_now)

    def __call__(self) -> int:
        """The time, in ms since 1970."""
        return self.now

    def advance(self, seconds: float) -> int:
        """Let so many seconds pass; return the time, in ms since 1970."""
        self.now += round(seconds * 1_000)
        return self.now
