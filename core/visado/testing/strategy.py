"""What every strategy promises, as tests: subclass `StrategyContract`, and say how yours is made and fed.

    class TestMine(StrategyContract):
        def make(self, host):
            return MyStrategy(host.users, host.credentials)

        def credentials(self, number):
            return {"username": f"user{number}", "password": f"secret-{number}-xyzzy"}

Every test has a host of its own, built as `visado serve` builds it, over a storage in a new folder. So `make` may
take what a plugin has declared, such as `host.settings[MySection]` or `host.strategies["mine"]`.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from visado import errors
from visado.app import Host
from visado.query import Query
from visado.request import Fields
from visado.strategy import Fail, Pass, Redirect, Strategy, Success
from visado.testing.stage import HOSTILE, NOBODY, Stage, logged, open_host, refused, staged, survived


class StrategyContract(ABC):
    """The suite. What a strategy does not have (an ending, `by_id`) its hook answers with None: it is skipped."""

    parallel: ClassVar[int] = 50
    users: ClassVar[int] = 5
    timing_samples: ClassVar[int] = 15
    timing_tolerance: ClassVar[float] = 0.35

    @abstractmethod
    def make(self, host: Host) -> Strategy:
        """Make the strategy."""

    @abstractmethod
    def credentials(self, number: int) -> Fields:
        """Make valid credentials of the user of this number, unlike any other's."""

    def login(self, credentials: Fields) -> Fields:
        """Make the body that logs in with these credentials."""
        return credentials

    def wrong(self, body: Fields) -> Fields:
        """Put a wrong secret into the body of a login."""
        return {**body, "password": "not-the-secret"}

    def unknown(self, body: Fields) -> Fields:
        """Put a subject that nobody has into the body of a login."""
        return {**body, "username": "nobody-has-this-name"}

    def changed(self, credentials: Fields) -> Fields | None:
        """What the credentials are to become by an update; None where they cannot change."""
        return {**credentials, "password": f"{credentials['password']}-changed"}

    def subject(self, credentials: Fields) -> str | None:
        """The subject for `by_id`; None where the strategy does without."""
        return str(credentials["username"])

    def secrets(self, credentials: Fields) -> list[str]:
        """The texts that must never appear in an answer, a log, or a row."""
        return [credentials["password"]]

    def passing(self) -> Any:
        """The body of a login in which there is nothing for this strategy; None where it never passes."""
        return None

    def redirecting(self) -> Fields | None:
        """The body of a login that is sent elsewhere; None where the strategy never redirects."""
        return None

    def settings(self) -> Fields:
        """Settings for the host, by section."""
        return {}

    @asynccontextmanager
    async def stage(self, folder: Path) -> AsyncGenerator[Stage, None]:
        """Open a host with the strategy in it."""
        async with open_host(folder, self.settings()) as host:
            strategy = self.make(host)
            installed = host.strategies.get(strategy.name)
            if installed is None:
                host.strategies.add(strategy)
            await host.open()
            if installed is None or installed is strategy:
                yield Stage(host, strategy)
                return
            await strategy.open()
            try:
                yield Stage(host, strategy)
            finally:
                await strategy.close()

    async def enroll(self, stage: Stage, number: int = 0) -> tuple[str, Fields]:
        """Make a user with credentials."""
        user_id, credentials = await stage.user(number), self.credentials(number)
        await stage.strategy.validate(user_id, credentials, update=False)
        await stage.strategy.create(user_id, credentials)
        return user_id, credentials

    # Endings

    @staged
    async def test_right_credentials_succeed(self, stage: Stage) -> None:
        user_id, credentials = await self.enroll(stage)
        assert await stage.login(self.login(credentials)) == Success(user_id)

    @staged
    async def test_wrong_secret_and_unknown_subject_fail_alike(self, stage: Stage) -> None:
        _, credentials = await self.enroll(stage)
        body = self.login(credentials)
        wrong, unknown = await stage.login(self.wrong(body)), await stage.login(self.unknown(body))
        assert isinstance(wrong, Fail)
        assert wrong == unknown
        assert all(str(value) not in wrong.reason for value in body.values())

    @staged
    async def test_nothing_for_it_is_passed_or_failed(self, stage: Stage) -> None:
        nothing: tuple[Any, ...] = (None, [], {})
        for body in nothing:
            assert isinstance(await stage.login(body), (Fail, Pass, Redirect))
        if self.passing() is not None:
            assert await stage.login(self.passing()) == Pass()

    @staged
    async def test_redirects_to_an_address(self, stage: Stage) -> None:
        body = self.redirecting()
        if body is None:
            pytest.skip("this strategy never redirects")
        outcome = await stage.login(body)
        assert isinstance(outcome, Redirect)
        assert outcome.location.startswith(("https://", "http://"))
        assert outcome.status in {302, 303, 307}

    @staged
    async def test_hostile_logins_end_in_a_refusal(self, stage: Stage) -> None:
        _, credentials = await self.enroll(stage)
        body = self.login(credentials)
        for field in body:
            for value in HOSTILE:
                await self._refuses(stage, {**body, field: value})
        for value in HOSTILE:
            await self._refuses(stage, dict.fromkeys(body, value))

    async def _refuses(self, stage: Stage, body: Any) -> None:
        found = await survived(stage.login(body))
        assert isinstance(found, (Fail, Pass, Redirect, errors.VisadoError)), found

    # The lifecycle of credentials

    @staged
    async def test_created_credentials_exist_until_deleted(self, stage: Stage) -> None:
        user_id, credentials = await stage.user(), self.credentials(0)
        assert await stage.strategy.exists(user_id) is False
        await stage.strategy.validate(user_id, credentials, update=False)
        assert await stage.strategy.exists(user_id) is False
        shown = await stage.strategy.create(user_id, credentials)
        assert await stage.strategy.exists(user_id) is True
        self._shows_no_secret(credentials, shown, await stage.strategy.info(user_id))
        await stage.strategy.delete(user_id)
        assert await stage.strategy.exists(user_id) is False
        assert isinstance(await stage.login(self.login(credentials)), Fail)
        await stage.strategy.create(user_id, credentials)
        assert await stage.login(self.login(credentials)) == Success(user_id)

    @staged
    async def test_is_found_by_its_subject(self, stage: Stage) -> None:
        _, credentials = await self.enroll(stage)
        subject = self.subject(credentials)
        if subject is None:
            pytest.skip("this strategy does not look up by subject")
        found = await stage.strategy.by_id(subject)
        self._shows_no_secret(credentials, found)
        assert found
        await refused(stage.strategy.by_id(f"{subject}-of-nobody"))

    @staged
    async def test_a_user_has_credentials_once(self, stage: Stage) -> None:
        user_id, credentials = await self.enroll(stage)
        await refused(stage.strategy.create(user_id, self.credentials(1)))
        assert await stage.login(self.login(credentials)) == Success(user_id)

    @staged
    async def test_a_subject_has_one_owner(self, stage: Stage) -> None:
        user_id, credentials = await self.enroll(stage)
        other = await stage.user(1)
        await refused(stage.strategy.validate(other, credentials, update=False))
        await refused(stage.strategy.create(other, credentials))
        assert await stage.strategy.exists(other) is False
        assert await stage.login(self.login(credentials)) == Success(user_id)

    @staged
    async def test_one_of_many_creations_wins(self, stage: Stage) -> None:
        owners = [await stage.user(number) for number in range(self.users)]
        credentials = self.credentials(0)
        creations = [stage.strategy.create(user_id, credentials) for user_id in owners]
        results = await asyncio.gather(*creations, return_exceptions=True)
        assert sum(not isinstance(result, BaseException) for result in results) == 1, results
        assert sum([await stage.strategy.exists(user_id) for user_id in owners]) == 1

    @staged
    async def test_an_update_takes_the_place(self, stage: Stage) -> None:
        user_id, credentials = await self.enroll(stage)
        changed = self.changed(credentials)
        if changed is None:
            pytest.skip("these credentials do not change")
        await stage.strategy.validate(user_id, changed, update=True)
        self._shows_no_secret(changed, await stage.strategy.update(user_id, changed))
        assert await stage.login(self.login(changed)) == Success(user_id)
        assert isinstance(await stage.login(self.login(credentials)), Fail)

    @staged
    async def test_what_is_not_there_is_refused(self, stage: Stage) -> None:
        for user_id in (await stage.user(), NOBODY):
            assert await stage.strategy.exists(user_id) is False
            await refused(stage.strategy.info(user_id))
            await refused(stage.strategy.delete(user_id))
            changed = self.changed(self.credentials(0))
            if changed is not None:
                await refused(stage.strategy.update(user_id, changed))

    @staged
    async def test_hostile_credentials_are_taken_or_refused(self, stage: Stage) -> None:
        user_id, credentials = await stage.user(), self.credentials(0)
        bodies = [{**credentials, field: value} for field in credentials for value in HOSTILE]
        strategy = stage.strategy
        for body in [
            *bodies,
            *(dict.fromkeys(credentials, value) for value in HOSTILE),
            {},
            {"kuid": NOBODY},
        ]:
            calls: list[Awaitable[object]] = [
                strategy.validate(user_id, body, update=False),
                strategy.validate(user_id, body, update=True),
                strategy.create(user_id, body),
            ]
            for call in calls:
                await survived(call)
            if await strategy.exists(user_id):
                json.dumps(await strategy.info(user_id))
                await survived(strategy.update(user_id, body))
                await strategy.delete(user_id)

    # Many at once

    @staged
    async def test_many_logins_at_once_are_not_confused(self, stage: Stage) -> None:
        known = [await self.enroll(stage, number) for number in range(self.users)]
        tries: list[tuple[Fields, str | None]] = []
        for number in range(self.parallel):
            user_id, credentials = known[number % len(known)]
            body = self.login(credentials)
            tries.append((self.wrong(body), None) if number % 3 == 0 else (body, user_id))
        outcomes = await asyncio.gather(*(stage.login(body) for body, _ in tries))
        for outcome, (_, expected) in zip(outcomes, tries, strict=True):
            assert outcome == Success(expected) if expected else isinstance(outcome, Fail)

    @staged
    async def test_abandoned_calls_harm_nobody(self, stage: Stage) -> None:
        user_id, credentials = await self.enroll(stage)
        other, others = await stage.user(1), self.credentials(1)
        for delay in (0, 0, 0.001, 0.005, 0.02):
            for call in (stage.login(self.login(credentials)), stage.strategy.create(other, others)):
                task = asyncio.ensure_future(call)
                await asyncio.sleep(delay)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        assert await stage.login(self.login(credentials)) == Success(user_id)
        if not await stage.strategy.exists(other):
            await stage.strategy.create(other, others)
        assert await stage.login(self.login(others)) == Success(other)

    @staged
    async def test_time_does_not_tell_who_exists(self, stage: Stage) -> None:
        _, credentials = await self.enroll(stage)
        body = self.login(credentials)
        bodies = (self.wrong(body), self.unknown(body))
        wrong = unknown = 0.0
        for _ in range(3):  # a machine with other things to do may need a second chance
            times: tuple[list[float], list[float]] = ([], [])
            for number in range(2 * self.timing_samples):
                start = time.perf_counter()
                await stage.login(bodies[number % 2])
                times[number % 2].append(time.perf_counter() - start)
            wrong, unknown = (statistics.median(each) for each in times)
            if abs(wrong - unknown) <= max(self.timing_tolerance * max(wrong, unknown), 0.002):
                return
        pytest.fail(f"a wrong secret takes {wrong:.4f} s, an unknown subject {unknown:.4f} s")

    # Secrets

    @staged
    async def test_no_secret_is_logged_shown_or_kept(self, stage: Stage) -> None:
        with logged() as log:
            user_id, credentials = await self.enroll(stage)
            body = self.login(credentials)
            outcomes = [await stage.login(each) for each in (body, self.wrong(body), self.unknown(body))]
            again = await refused(stage.strategy.create(user_id, credentials))
            shown = await stage.strategy.info(user_id)
        rows = (await stage.host.credentials.search(stage.strategy.name, Query())).hits
        self._shows_no_secret(credentials, log.getvalue(), rows, shown, again.as_dict(), repr(again))
        self._shows_no_secret(credentials, *(repr(each) for each in (stage.strategy, *outcomes)))

    def _shows_no_secret(self, credentials: Fields, *shown: Any) -> None:
        for secret in self.secrets(credentials):
            for each in shown:
                assert secret not in json.dumps(each, ensure_ascii=False, default=repr)
