"""Observers that are wrong, each in a way of its own: which promise of the kit each breaks, and what it is told."""

from __future__ import annotations

import asyncio
import time

from .right import Listener, ListenerContract


class TestHearsNoRefusals(ListenerContract):
    caught_by, says = "test_hears_what_happens", "write every event down once"

    class Plugin(Listener):
        async def observe(self, event):
            if event.outcome == "success":
                await super().observe(event)


class TestExpectsATarget(ListenerContract):
    caught_by, says = "test_takes_any_event", "observe() takes every event, of plugins too"

    class Plugin(Listener):
        async def observe(self, event):
            self.heard.append(f"{event.kind} {event.target.upper()}")


class TestWritesOnTheLoop(ListenerContract):
    caught_by, says = "test_does_not_hold_the_event_loop", "write in a thread"

    class Plugin(Listener):
        async def observe(self, event):
            time.sleep(0.1)  # noqa: ASYNC251 - the fault
            await super().observe(event)


class TestKeepsTheLast(ListenerContract):
    caught_by, says = "test_hears_many_at_once", "each is written down once"

    class Plugin(Listener):
        async def observe(self, event):
            self.last = event
            await asyncio.sleep(0)
            await super().observe(self.last)


class TestStaysLocked(ListenerContract):
    caught_by, says = "test_abandoned_calls_harm_nobody", "after a call that was cancelled, the next event is heard"

    class Plugin(Listener):
        locked = False

        async def observe(self, event):
            if self.locked:
                return
            self.locked = True
            await asyncio.sleep(0.002)
            await super().observe(event)
            self.locked = False
