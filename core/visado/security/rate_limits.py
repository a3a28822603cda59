"""How often somebody did something within a second."""

from __future__ import annotations

from typing import Final

from visado.host import Clock

_WINDOW: Final = 1_000
_REMEMBERED: Final = 100_000


class RateLimits:
    """Windows of one second, each beginning with somebody's first request."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[str, tuple[int, int]] = {}

    def admit(self, who: str, limit: int) -> bool:
        """Count a request, and say whether it is within the limit."""
        now = self._clock()
        began, count = self._windows.get(who, (now, 0))
        if not 0 <= now - began < _WINDOW:
            began, count = now, 0
        if len(self._windows) >= _REMEMBERED:
            self._windows = {one: window for one, window in self._windows.items() if now - window[0] < _WINDOW}
        self._windows[who] = (began, count + 1)
        return count < limit
