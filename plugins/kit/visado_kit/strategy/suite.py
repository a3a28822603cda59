"""The strategy under test: the subclass makes it and its credentials, and each test has a host of its own."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from visado import Actor, Fields, Identity, KeepsCredentials, Outcome, Request, Success
from visado_kit.canaries import Canaries
from visado_kit.expectations import expect_no_server_error, short_repr
from visado_kit.in_process import InProcessHost, build_host, copy_body

BY: Final = Actor("administrator")
"""Who creates, changes and deletes credentials in the tests."""


def user_of(outcome: object) -> str | None:
    """Return the id of the user of a `Success`; None for an identity and for any other outcome."""
    return None if not isinstance(outcome, Success) or isinstance(outcome.who, Identity) else outcome.who


@dataclass(frozen=True, slots=True)
class StrategyHarness:
    """The strategy under test, in an open host."""

    host: InProcessHost
    strategy: KeepsCredentials

    async def create_user(self, number: int = 0) -> str:
        """Create a user without credentials; return the id."""
        return await self.host.create_user(number)

    async def authenticate(self, body: Any) -> Outcome:
        """Call the strategy with this body of a login; return its outcome."""
        return await self.strategy.authenticate(self._request(body))

    async def log_in(self, body: Any) -> Any:
        """Log in with this body through the host, which checks the outcome.

        Raises `errors.LoginRefused` for `Fail` and `Pass`, the errors of `visado.errors` that the strategy raises, and
        an error of 500 for any other.
        """
        return await self.host.logins.log_in(self._request(body), self.strategy.name)

    def _request(self, body: Any) -> Request:
        return Request("login", "auth", "login", {"strategy": self.strategy.name}, copy_body(body))


class StrategySuite(ABC):
    """The hooks that make the strategy and its input, and what several tests expect of it."""

    users: ClassVar[int] = 5
    """How many users the tests of concurrency create."""

    @abstractmethod
    def make(self, host: InProcessHost) -> KeepsCredentials:
        """Make the strategy, or return the one that the host has."""

    @abstractmethod
    def credentials(self, number: int) -> Fields:
        """Make valid credentials for the user of this number, counted from 0: always the same, and unique."""

    def login(self, credentials: Fields) -> Fields:
        """Make the body of a login with these credentials."""
        return credentials

    def wrong(self, body: Fields) -> Fields:
        """Replace the secret in the body of a login by a wrong one."""
        return {**body, "password": "not-the-secret"}

    def unknown(self, body: Fields) -> Fields:
        """Replace the subject in the body of a login by one that no user has."""
        return {**body, "username": "nobody-has-this-name"}

    def changed(self, credentials: Fields) -> Fields | None:
        """Make the credentials that an update replaces these by; None if credentials cannot be updated."""
        return {**credentials, "password": f"{credentials['password']}-changed"}

    def subject(self, credentials: Fields) -> str | None:
        """Return the subject for `by_id`; None if the strategy does not implement it."""
        return str(credentials["username"])

    def secrets(self, credentials: Fields) -> list[str]:
        """Return the texts that must not appear in a response, a log or a stored document."""
        return [credentials["password"]]

    def passing(self) -> Any:
        """Make the body of a login that ends in `Pass`; None if the strategy never returns it."""
        return None

    def redirecting(self) -> Fields | None:
        """Make the body of a login that ends in `Redirect`; None if the strategy never returns it."""
        return None

    def raising(self) -> Fields | None:
        """Make the body of a login that raises an error of `visado.errors`; None if the strategy raises none."""
        return None

    def settings(self) -> Fields:
        """Return settings for the host, by section."""
        return {}

    @asynccontextmanager
    async def harness(self, folder: Path) -> AsyncGenerator[StrategyHarness, None]:
        """Open a host with the strategy in it."""
        async with build_host(folder, self.settings()) as host:
            strategy = self.make(host)
            host.replace_strategy(strategy)
            await host.open()
            opened = host.strategies.get(strategy.name) is strategy
            assert opened, "open() must not raise in a host of the suite: the log says what it raised"
            yield StrategyHarness(host, strategy)

    async def enroll(self, harness: StrategyHarness, number: int = 0) -> tuple[str, Fields]:
        """Create a user with credentials; return the id and the credentials."""
        user_id, credentials = await harness.create_user(number), self.credentials(number)
        await harness.strategy.validate(user_id, credentials, BY, update=False)
        await harness.strategy.create(user_id, credentials, BY)
        return user_id, credentials

    async def expect_login(self, harness: StrategyHarness, credentials: Fields, user_id: str, advice: str) -> None:
        """Expect that these credentials log this user in, by the strategy alone and through the host."""
        outcome = await harness.authenticate(self.login(credentials))
        assert user_of(outcome) == user_id, f"{advice}: return Success({user_id!r}), not {outcome!r}"
        entered = await expect_no_server_error(harness.log_in(self.login(credentials)))
        assert hasattr(entered, "issued"), f"{advice}: the same login a second time led to {entered!r}"

    def expect_public(self, credentials: Fields, *results: Any) -> None:
        """Expect objects that JSON can represent, and that hold no secret of these credentials."""
        for each in results:
            assert _is_object(each), f"return an object of the public credentials, not {short_repr(each)}"
            try:
                json.dumps(each, allow_nan=False)
            except (TypeError, ValueError) as error:
                raise AssertionError(f"return only what JSON can represent, not {short_repr(each)}: {error}") from None
        Canaries(self.secrets(credentials)).check(*results, where="a result: return only what is public")


def _is_object(value: object) -> bool:
    return isinstance(value, dict)
