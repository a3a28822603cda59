"""A circuit breaker: a server that fails is not asked again until a pause is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

_FIRST_PAUSE_SECONDS: Final = 1.0
_MAX_PAUSE_SECONDS: Final = 10.0


class CircuitBreaker:
    """Says whether a server may be asked: not for a second after a failure, and twice as long after each further one.

    After a pause one thread may try; the others wait for its outcome. `clock` is monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._pause, self._paused_until, self._trying = 0.0, 0.0, False

    def admit(self) -> bool:
        """Return whether the server may be asked now."""
        with self._lock:
            if not self._pause:
                return True
            now = self._clock()
            if now < self._paused_until:
                return False
            self._paused_until, self._trying = now + self._pause, True
            return True

    def record_success(self) -> bool:
        """Record that the server responded; return whether it had failed before."""
        with self._lock:
            recovered, self._pause, self._trying = bool(self._pause), 0.0, False
            return recovered

    def record_failure(self) -> bool:
        """Record that the server failed; return whether this is the first failure in a row."""
        with self._lock:
            first = not self._pause
            if first or self._trying:  # a request that was sent before the pause does not prolong it
                self._pause = _FIRST_PAUSE_SECONDS if first else min(2 * self._pause, _MAX_PAUSE_SECONDS)
                self._paused_until, self._trying = self._clock() + self._pause, False
            return first
