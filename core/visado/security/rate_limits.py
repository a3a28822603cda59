"""Rate limits: how many requests a client may make within a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from visado.host import Clock
from visado.storage.bounded import BoundedDict

_WINDOW_MS: Final = 1_000
_MAX_CLIENTS: Final = 100_000


@dataclass(slots=True)
class _Window:
    opened_at: int
    count: int = 0


class RateLimits:
    """Counts the requests of each client in windows of one second; a client's request opens its next window."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows = BoundedDict[str, _Window](_MAX_CLIENTS)

    def admit(self, client: str, limit: int) -> bool:
        """Count a request of a client, and return whether it is within the limit per second."""
        now = self._clock()
        window = self._windows.get(client)
        if window is None or not 0 <= now - window.opened_at < _WINDOW_MS:
            window = _Window(now)
            self._windows.set(client, window)
        window.count += 1
        return window.count <= limit
