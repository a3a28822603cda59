"""Observers with one fault each: the test of the kit that finds it, and what its message says."""

from __future__ import annotations

import asyncio
import time

from .right import Listener, ListenerContract


class TestIgnoresRefusals(ListenerContract):
    caught_by, says = "test_hears_what_happens", "record every event once"

    class Plugin(Listener):
        async def observe(self, event):
            if event.outcome == "success":
                await super().observe(event)


class TestRequiresATarget(ListenerContract):
    caught_by, says = "test_takes_any_event", "observe() must handle every event"

    class Plugin(Listener):
        async def observe(self, event):
            self.heard.append(f"{event.kind} {event.target.upper()}")


class TestBlocksTheLoop(ListenerContract):
    caught_by, says = "test_does_not_block_the_event_loop", "write in a thread"

    class Plugin(Listener):
        async def observe(self, event):
            time.sleep(0.1)  # noqa: ASYNC251 - the fault
            await super().observe(event)


class TestStoresTheEventOnItself(ListenerContract):
    caught_by, says = "test_hears_many_at_once", "exactly once"

    class Plugin(Listener):
        async def observe(self, event):
            self.last = event
            await asyncio.sleep(0)
            await super().observe(self.last)


class TestStaysLockedAfterACancellation(ListenerContract):
    caught_by, says = "test_cancelled_calls_leave_nothing_half_done", "record the event that follows a cancelled call"

    class Plugin(Listener):
        locked = False

        async def observe(self, event):
            if self.locked:
                return
            self.locked = True
            await asyncio.sleep(0.002)
            await super().observe(event)
            self.locked = False
