"""The strategy under test: made and fed by the subclass, in a host of its own for each test."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from visado.app import Visado
from visado.codec import is_object
from visado.request import Fields
from visado.strategy import Strategy, Success
from visado_kit.canaries import Canaries
from visado_kit.stage import Stage, open_host, survived, told


class StrategySuite(ABC):
    """Where the tests get their strategy from, and what they feed it with."""

    users: ClassVar[int] = 5
    """How many users there are where there are many."""

    @abstractmethod
    def make(self, host: Visado) -> Strategy:
        """Make the strategy, or find the one that the host has."""

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

    def raising(self) -> Fields | None:
        """The body of a login that ends in one of `visado.errors`; None where there is none."""
        return None

    def settings(self) -> Fields:
        """Settings for the host, by section."""
        return {}

    @asynccontextmanager
    async def stage(self, folder: Path) -> AsyncGenerator[Stage, None]:
        """Open a host with the strategy in it."""
        async with open_host(folder, self.settings()) as host:
            strategy = self.make(host)
            installed = host.security.strategies.get(strategy.name)
            if installed is not strategy:
                if installed is not None:
                    host.security.strategies.drop(strategy.name)
                host.security.strategies.add(strategy)
            await host.open()
            assert host.security.strategies.get(strategy.name) is strategy, (
                "open() works in a host of the suite: see the log"
            )
            yield Stage(host, strategy)

    async def enroll(self, stage: Stage, number: int = 0) -> tuple[str, Fields]:
        """Make a user with credentials."""
        user_id, credentials = await stage.user(number), self.credentials(number)
        await stage.strategy.validate(user_id, credentials, update=False)
        await stage.strategy.create(user_id, credentials)
        return user_id, credentials

    async def gets_in(self, stage: Stage, credentials: Fields, user_id: str, mend: str) -> None:
        """Expect that these credentials log this user in, on the host's own path, too."""
        outcome = await stage.login(self.login(credentials))
        assert outcome == Success(user_id), f"{mend}: return Success({user_id!r}), not {outcome!r}"
        entered = await survived(stage.enter(self.login(credentials)))
        assert isinstance(entered, tuple), f"{mend}: the same login once more led to {entered!r}"

    def shows(self, credentials: Fields, *results: Any) -> None:
        """Expect results that may be shown: objects that JSON can write, without a secret."""
        for each in results:
            assert is_object(each), f"return an object of what may be shown, not {told(each)}"
            try:
                json.dumps(each, allow_nan=False)
            except (TypeError, ValueError) as error:
                raise AssertionError(f"return what JSON can write, not {told(each)}: {error}") from None
        Canaries(self.secrets(credentials)).check(*results, where="a result: return what may be shown")
