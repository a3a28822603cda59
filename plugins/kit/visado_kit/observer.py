"""What every observer promises, as tests: subclass `ObserverContract`, and say how yours is made and read.

    class TestMine(ObserverContract):
        def make(self, host):
            return next(observer for plugin, observer in host.security.observers if plugin == "mine")

        async def heard(self, stage):
            return THE_FILE.read_text().splitlines()

Every test has a host of its own, in which the observer hears what really happens.
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

from visado.app import Visado
from visado.events import Event, LoggedOut, Observer
from visado.request import Fields
from visado_kit.check_stage import Door
from visado_kit.stage import ask, create_user, held, open_host, staged, told

_TEXTS: Final = (None, "", "kuid-of-user-0", "\r\nSet-Cookie: a=b", "\x1b[2J\0", "\ud800", "a" * 100_000)
_LONGEST_TIMEOUT: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard(Event):
    """An event of a plugin that the observer has never heard of."""

    name: ClassVar[str] = "contract.unheard"
    count: int = 1


@dataclass(frozen=True, slots=True)
class ObserverStage:
    """An observer at work in a host."""

    host: Visado
    observer: Observer

    async def tell(self, event: Event) -> None:
        """Tell of an event as the host does: not for longer than `timeout`."""
        async with asyncio.timeout(self.observer.timeout):
            await self.observer.observe(event)


class ObserverContract(ABC):
    """The suite. Where nobody can read what it heard, `heard` returns None: what needs it is skipped."""

    parallel: ClassVar[int] = 50
    longest_hold: ClassVar[float] = 0.05

    @abstractmethod
    def make(self, host: Visado) -> Observer:
        """Make the observer, or find the one that the host has: they come with the names of their plugins."""

    async def heard(self, stage: ObserverStage) -> list[Any] | None:  # noqa: ARG002 - nothing by default
        """Return what it has written down by now, an item per event: texts, or whatever JSON can write."""
        return None

    def settings(self) -> Fields:
        """Settings for the host, by section."""
        return {}

    @asynccontextmanager
    async def stage(self, folder: Path) -> AsyncGenerator[ObserverStage, None]:
        """Open a host with the observer in it."""
        async with open_host(folder, self.settings()) as host:
            observer = self.make(host)
            if all(each is not observer for _, each in host.security.observers):
                host.security.observers.add(observer=observer, plugin="under-test")
            host.security.strategies.add(Door())
            await host.open()
            yield ObserverStage(host, observer)

    async def heard_of(self, stage: ObserverStage, *words: str) -> int:
        """Count the items that hold all of these words. Skips where nobody can read them."""
        items = await self.heard(stage)
        if items is None:
            pytest.skip("nobody can read what this observer has heard")
        return sum(all(word in json.dumps(item, default=str) for word in words) for item in items)

    @staged
    async def test_is_declared_well(self, stage: ObserverStage) -> None:
        """Its limits make sense."""
        observer = stage.observer
        assert 0 < observer.timeout <= _LONGEST_TIMEOUT, "timeout: seconds that every answer may wait, no more than 10"
        assert type(observer.essential) is bool, "essential: True or False"
        assert observer.problem() is None, f"problem() says that it cannot work, where it can: {observer.problem()}"

    @staged
    async def test_hears_what_happens(self, stage: ObserverStage) -> None:
        """Logins, refusals and changes are written down, once each, with whom they are about."""
        body = {"content": {"profileIds": ["default"]}}
        await ask(stage.host, "security:createUser", body, _id="kuid-of-ada")
        await ask(stage.host, "auth:login", {"user": "kuid-of-ada", "word": "open"}, strategy=Door.name)
        await ask(stage.host, "auth:login", {"user": "kuid-of-ada", "word": "wrong"}, strategy=Door.name)
        for words in (
            ("user.created", "kuid-of-ada"),
            ("login.succeeded", "kuid-of-ada"),
            ("login.refused", Door.name),
        ):
            count = await self.heard_of(stage, *words)
            assert count == 1, (
                f"write every event down once, with its kind and its target; {words} is there {count} times"
            )

    @staged
    async def test_takes_any_event(self, stage: ObserverStage) -> None:
        """Whatever an event holds, and whoever made it: nothing is raised, and it is heard in time."""
        for event in _events():
            try:
                await stage.tell(event)
            except TimeoutError:
                pytest.fail(
                    f"observe() takes longer than timeout = {stage.observer.timeout} s: be quick, or do it later"
                )
            except Exception as error:
                pytest.fail(f"observe() takes every event, of plugins too; {told(event)} led to {error!r}")
        await stage.tell(LoggedOut(target="kuid-after-them"))
        assert await self.heard_of(stage, "kuid-after-them"), "an event that is odd keeps no other from being heard"

    @staged
    async def test_does_not_hold_the_event_loop(self, stage: ObserverStage) -> None:
        """While it writes, others go on."""
        longest = await held(lambda _: stage.observer.observe(LoggedOut()), self.longest_hold)
        assert longest <= self.longest_hold, (
            f"observe() keeps everybody else waiting for {longest:.3f} s: write in a thread (asyncio.to_thread)"
        )

    @staged
    async def test_hears_many_at_once(self, stage: ObserverStage) -> None:
        """None of many events is lost or mixed up."""
        targets = [f"kuid-at-once-{number}-" for number in range(self.parallel)]
        await asyncio.gather(*(stage.observer.observe(LoggedOut(target=target)) for target in targets))
        for target in targets:
            count = await self.heard_of(stage, target)
            assert count == 1, f"of {self.parallel} events at once each is written down once, not {count} times"

    @staged
    async def test_abandoned_calls_harm_nobody(self, stage: ObserverStage) -> None:
        """A call that is cancelled ends, and the next event is heard."""
        user_id = await create_user(stage.host)
        for delay in (0, 0.001, 0.005):
            task = asyncio.create_task(stage.observer.observe(LoggedOut(target=user_id)))
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.wait({task}, timeout=_LONGEST_TIMEOUT)
            assert task.done(), "a call that is cancelled ends: let asyncio.CancelledError pass"
            assert task.cancelled() or task.exception() is None, f"a cancelled call raised {task.exception()!r}"
        await stage.tell(LoggedOut(target="kuid-after-it"))
        assert await self.heard_of(stage, "kuid-after-it") == 1, (
            "after a call that was cancelled, the next event is heard"
        )


def _events() -> Generator[Event]:
    """Make events of every kind, with every kind of text in them."""
    kinds, waiting = list[type[Event]](), [Event]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if "name" in vars(kind):
            kinds.append(kind)
    for kind in kinds:
        for text in _TEXTS:
            typed = {"bool": True, "Change": "created"}
            own: Fields = {
                each.name: typed.get(str(each.type), text or "") for each in fields(kind) if _is_required(each)
            }
            yield kind(target=text, strategy=text, actor=text, address=text, request_id=text, **own)


def _is_required(field: Any) -> bool:
    return field.default is MISSING and field.default_factory is MISSING
