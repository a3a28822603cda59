"""The watchdog: interrupts a plugin that blocks the event loop, where no time limit of asyncio has an effect.

It interrupts code of plugins only, never the host's own: a write of the host is not left half done.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

HOST_PACKAGE: Final = "visado"
RESET_SECONDS: Final = 0.25
"""The longest interval between two resets of the timer by a running event loop."""


class Blocked(BaseException):
    """Raised inside a plugin that blocks the loop. Not an `Exception`, so that the plugin does not catch it."""


class Watchdog:
    """A timer (`SIGALRM`) that the event loop resets, and that fires when a plugin blocks the loop.

    A process can have one, in its main thread; on Windows it has no effect. `owner_of` returns the plugin of a
    package, and `on_interrupt` is called with the interrupted plugin and the seconds that it was allowed.
    """

    def __init__(self) -> None:
        self.owner_of: Callable[[str], str | None] | None = None
        self.on_interrupt: Callable[[str, float], None] | None = None
        self._seconds = 0.0
        self._fired = False
        self._reset: asyncio.TimerHandle | None = None
        self._what: str | None = None
        if hasattr(signal, "SIGALRM"):
            signal.signal(signal.SIGALRM, self._fire)

    @contextmanager
    def limit(self, what: str, seconds: float) -> Generator[None]:
        """Raise `TimeoutError` where the block, run without an event loop at start-up, takes longer."""
        self._what, self._seconds = what, seconds
        _set_timer(seconds)
        try:
            yield
        finally:
            self._what = None
            _set_timer(0)

    def watch(self, seconds: float) -> None:
        """Interrupt from now on a plugin that blocks the running loop for longer."""
        if self._reset is not None:
            self._reset.cancel()
        self._seconds, self._fired = seconds, False
        _set_timer(seconds)
        interval = min(RESET_SECONDS, seconds / 4)
        self._reset = asyncio.get_running_loop().call_later(interval, self.watch, seconds)

    def stop(self) -> None:
        """Stop watching."""
        if self._reset is not None:
            self._reset.cancel()
        _set_timer(0)

    def _fire(self, _: int, frame: FrameType | None) -> None:
        if self._what is not None:
            raise TimeoutError(f"{self._what} took longer than {self._seconds:g} s")
        plugin = self._running_plugin(frame)
        if plugin is None or not self._fired:  # the machine may have been suspended: the loop gets a second chance
            self._fired = plugin is not None
            _set_timer(RESET_SECONDS)
            return
        self._fired = False
        if self.on_interrupt is not None:
            self.on_interrupt(plugin, self._seconds)
        raise Blocked(f"it blocked the event loop for {self._seconds:g} s")

    def _running_plugin(self, frame: FrameType | None) -> str | None:
        """Return the plugin whose code is running, or None where the innermost known frame is the host's."""
        while frame is not None:
            package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
            if package == HOST_PACKAGE:
                return None
            plugin = self.owner_of(package) if self.owner_of else None
            if plugin is not None:
                return plugin
            frame = frame.f_back
        return None


def _set_timer(seconds: float) -> None:
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)
