"""An watchdog clock for plugins that hold up the whole process, where no time limit of asyncio can reach them.

It interrupts code of a plugin only, and never the host's own: a write that is half done stays none of its business.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_OURS: Final = "visado"
_BEAT: Final = 0.25


class Blocked(BaseException):
    """Raised inside a plugin that does not let go. No `Exception`: a plugin must not swallow it."""


class Watchdog:
    """Rings unless the event loop goes on. Only the main thread can have one, and only one; Windows has none.

    `owner` says which plugin a module belongs to, `tell` hears which plugin was interrupted, and after how long.
    """

    def __init__(self) -> None:
        self.owner: Callable[[str], str | None] | None = None
        self.tell: Callable[[str, float], None] | None = None
        self._seconds = 0.0
        self._rang = False
        self._beating: asyncio.TimerHandle | None = None
        self._hook: str | None = None
        if hasattr(signal, "SIGALRM"):
            signal.signal(signal.SIGALRM, self._ring)

    @contextmanager
    def during(self, what: str, seconds: float) -> Generator[None]:
        """Raise `TimeoutError` where the block, at start-up, takes longer."""
        self._hook, self._seconds = what, seconds
        _set(seconds)
        try:
            yield
        finally:
            self._hook = None
            _set(0)

    def watch(self, seconds: float) -> None:
        """Ring from now on where the running loop stands still for so long."""
        if self._beating is not None:
            self._beating.cancel()
        self._seconds, self._rang = seconds, False
        _set(seconds)
        self._beating = asyncio.get_running_loop().call_later(min(_BEAT, seconds / 4), self.watch, seconds)

    def stop(self) -> None:
        """Ring no more."""
        if self._beating is not None:
            self._beating.cancel()
        _set(0)

    def _ring(self, _: int, frame: FrameType | None) -> None:
        if self._hook is not None:
            raise TimeoutError(f"{self._hook} took longer than {self._seconds:g} s")
        plugin = self._running(frame)
        if plugin is None or not self._rang:  # the machine may have slept: the loop gets another chance
            self._rang = plugin is not None
            _set(_BEAT)
            return
        self._rang = False
        if self.tell is not None:
            self.tell(plugin, self._seconds)
        raise Blocked(f"it held up the host for {self._seconds:g} s")

    def _running(self, frame: FrameType | None) -> str | None:
        """Which plugin's code is running; None where it is the host's own."""
        while frame is not None:
            package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
            if package == _OURS:
                return None
            plugin = self.owner(package) if self.owner else None
            if plugin is not None:
                return plugin
            frame = frame.f_back
        return None


def _set(seconds: float) -> None:
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)
