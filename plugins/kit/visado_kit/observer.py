"""The contract of an observer, as tests: subclass `ObserverContract`, make the observer, and read what it recorded.

    class TestMine(ObserverContract):
        def make(self, host):
            return next(observer for plugin, observer in host.observers if plugin == "mine")

        async def heard(self, harness):
            return THE_FILE.read_text().splitlines()

Each test has a host of its own, which tells the observer of real events.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest

from visado import Event, Fields, Observer
from visado.events import LoggedOut
from visado_kit.expectations import cancel, measure_block, short_repr
from visado_kit.harness import StubStrategy, with_harness
from visado_kit.in_process import InProcessHost, build_host

_TEXTS: Final = (None, "", "kuid-of-user-0", "\r\nSet-Cookie: a=b", "\x1b[2J\0", "\ud800", "a" * 100_000)
_MAX_TIMEOUT_SECONDS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent(Event):
    """An event of another plugin, which the observer does not know."""

    name: ClassVar[str] = "kit.unknown"
    count: int = 1


@dataclass(frozen=True, slots=True)
class ObserverHarness:
    """The observer under test, in an open host."""

    host: InProcessHost
    observer: Observer

    async def tell(self, event: Event) -> None:
        """Tell the observer of an event, as the host does. Raises `TimeoutError` after its `timeout`."""
        async with asyncio.timeout(self.observer.timeout):
            await self.observer.observe(event)


class ObserverContract(ABC):
    """The suite. Where `heard` returns None, the tests of what the observer recorded are skipped."""

    parallel: ClassVar[int] = 50
    """How many events are told at once."""
    max_block_seconds: ClassVar[float] = 0.05
    """For how long a call may block the event loop."""

    @abstractmethod
    def make(self, host: InProcessHost) -> Observer:
        """Make the observer, or return the one that the host has."""

    async def heard(self, harness: ObserverHarness) -> list[Any] | None:  # noqa: ARG002 - optional
        """Return what the observer has recorded so far, an item per event, as texts or as what JSON can represent."""
        return None

    def settings(self) -> Fields:
        """Return settings for the host, by section."""
        return {}

    @asynccontextmanager
    async def harness(self, folder: Path) -> AsyncGenerator[ObserverHarness, None]:
        """Open a host with the observer in it."""
        async with build_host(folder, self.settings()) as host:
            observer = self.make(host)
            host.add_observer(observer)
            host.replace_strategy(StubStrategy())
            await host.open()
            yield ObserverHarness(host, observer)

    async def count_heard(self, harness: ObserverHarness, *words: str) -> int:
        """Count the recorded items that contain all of these words. Skips the test if `heard` returns None."""
        items = await self.heard(harness)
        if items is None:
            pytest.skip("heard() returns None: a test cannot read what this observer recorded")
        return sum(all(word in json.dumps(item, default=str) for word in words) for item in items)

    @with_harness
    async def test_is_declared_well(self, harness: ObserverHarness) -> None:
        """The limits are valid, and the observer has no problem."""
        observer = harness.observer
        assert 0 < observer.timeout <= _MAX_TIMEOUT_SECONDS, (
            f"timeout: use more than 0 and at most {_MAX_TIMEOUT_SECONDS} seconds, because responses wait for it; not "
            f"{observer.timeout}"
        )
        assert type(observer.essential) is bool, "essential: use True or False"
        problem = observer.problem()
        assert problem is None, f"problem() must return None in a host where the observer can work, not {problem!r}"

    @with_harness
    async def test_hears_what_happens(self, harness: ObserverHarness) -> None:
        """Logins, refusals and changes are recorded once each, with their kind and their target."""
        body = {"content": {"profileIds": ["default"]}}
        await harness.host.run("security:createUser", body, _id="kuid-of-ada")
        for password in (StubStrategy.RIGHT, "wrong"):
            login = {"stub_user": "kuid-of-ada", "stub_password": password}
            await harness.host.run("auth:login", login, strategy=StubStrategy.name)
        for words in (
            ("user.created", "kuid-of-ada"),
            ("login.succeeded", "kuid-of-ada"),
            ("login.refused", StubStrategy.name),
        ):
            count = await self.count_heard(harness, *words)
            assert count == 1, (
                f"record every event once, with its kind and its target: {words} was recorded {count} times"
            )

    @with_harness
    async def test_takes_any_event(self, harness: ObserverHarness) -> None:
        """Events of every kind, with any texts in them, raise nothing and are handled in time."""
        for event in _events():
            try:
                await harness.tell(event)
            except TimeoutError:
                pytest.fail(
                    f"observe() takes longer than timeout = {harness.observer.timeout} s: do slow work in a task of "
                    "its own"
                )
            except Exception as error:
                pytest.fail(
                    "observe() must handle every event, those of other plugins, too: "
                    f"{short_repr(event)} led to {error!r}"
                )
        await harness.tell(LoggedOut(target="kuid-after-them"))
        assert await self.count_heard(harness, "kuid-after-them"), "record the events that follow an unusual event"

    @with_harness
    async def test_does_not_block_the_event_loop(self, harness: ObserverHarness) -> None:
        """Other tasks run while the observer records an event."""
        seconds = await measure_block(lambda _: harness.observer.observe(LoggedOut()), self.max_block_seconds)
        assert seconds <= self.max_block_seconds, (
            f"observe() blocks the event loop for {seconds:.3f} s: write in a thread (asyncio.to_thread)"
        )

    @with_harness
    async def test_hears_many_at_once(self, harness: ObserverHarness) -> None:
        """Of many events at once, none is lost or mixed up."""
        targets = [f"kuid-at-once-{number}-" for number in range(self.parallel)]
        await asyncio.gather(*(harness.observer.observe(LoggedOut(target=target)) for target in targets))
        for target in targets:
            count = await self.count_heard(harness, target)
            assert count == 1, (
                f"record each of {self.parallel} events at once exactly once: one was recorded {count} times. Keep "
                "what belongs to one event in local variables of observe()"
            )

    @with_harness
    async def test_cancelled_calls_leave_nothing_half_done(self, harness: ObserverHarness) -> None:
        """A cancelled call ends, and the next event is recorded."""
        user_id = await harness.host.create_user()
        for delay in (0, 0.001, 0.005):
            future, _ = await cancel(harness.observer.observe(LoggedOut(target=user_id)), delay)
            assert future.cancelled() or future.exception() is None, (
                f"a cancelled call must raise nothing but asyncio.CancelledError, not {future.exception()!r}"
            )
        await harness.tell(LoggedOut(target="kuid-after-it"))
        assert await self.count_heard(harness, "kuid-after-it") == 1, (
            "record the event that follows a cancelled call: release every lock when a call is cancelled"
        )


def _events() -> Generator[Event]:
    """Make events of every kind, with unusual texts in every field."""
    kinds, pending = list[type[Event]](), [Event]
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        if "name" in vars(kind):
            kinds.append(kind)
    for kind in kinds:
        for text in _TEXTS:
            typed = {"bool": True, "Change": "created"}
            required: Fields = {
                each.name: typed.get(str(each.type), text or "") for each in fields(kind) if _is_required(each)
            }
            yield kind(target=text, strategy=text, actor=text, address=text, request_id=text, **required)


def _is_required(field: Any) -> bool:
    return field.default is MISSING and field.default_factory is MISSING
