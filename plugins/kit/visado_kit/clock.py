"""A clock for tests, which stands still until the test moves it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


def system_time() -> int:
    """Return the system's time, in ms since 1970."""
    return time.time_ns() // 1_000_000


@dataclass
class Clock:
    """A clock that stands still: `build_host(folder, settings, clock=clock)`.

    `now` is in ms since 1970, and starts at the system's time. Only move it forwards: libraries that read the system's
    clock would find that what was made before it has expired.
    """

    now: int = field(default_factory=system_time)

    def __call__(self) -> int:
        """Return the time, in ms since 1970."""
        return self.now

    def advance(self, seconds: float) -> int:
        """Move the clock forwards; return the time, in ms since 1970."""
        self.now += round(seconds * 1_000)
        return self.now
