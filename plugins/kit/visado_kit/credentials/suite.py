"""The credentials under test: the subclass makes the strategy and its credentials; each test has a host of its own."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from visado import Actor, Fail, Fields, KeepsCredentials
from visado_kit.canaries import Canaries
from visado_kit.client_request import LoginInput
from visado_kit.expectations import expect_no_server_error, short_repr
from visado_kit.in_process import InProcessHost
from visado_kit.login.suite import LoginHarness, expect_token, open_strategy, resolve, user_of

BY: Final = Actor("administrator")
"""Who creates, changes and deletes credentials where a test says nothing else."""


@dataclass(frozen=True, slots=True)
class CredentialsHarness(LoginHarness):
    """The strategy under test, in an open host."""

    strategy: KeepsCredentials


class CredentialsSuite(ABC):
    """The hooks that make the strategy and its credentials, and what several tests expect of it."""

    users: ClassVar[int] = 5
    """How many users the tests of concurrency create."""
    one_per_user: ClassVar[bool] = True
    """Whether a user has one set of credentials at most; False where a user may have several, such as keys."""

    @abstractmethod
    def make(self, host: InProcessHost) -> KeepsCredentials:
        """Make the strategy, or return the one that the host has."""

    @abstractmethod
    def credentials(self, number: int) -> Fields:
        """Make valid credentials for the user of this number, counted from 0: always the same, and unique."""

    def login(self, credentials: Fields) -> LoginInput | Awaitable[LoginInput]:  # noqa: ARG002 - optional
        """Make the request of a login with these credentials; None if a login is not one request with them.

        The method may be `async`, and is called for each login.
        """
        return None

    def changed(self, credentials: Fields) -> Fields | None:
        """Make the credentials that an update replaces these by; None if credentials cannot be updated."""
        return {**credentials, "password": f"{credentials['password']}-changed"}

    def subject(self, credentials: Fields) -> str | None:
        """Return the subject for `by_id`; None if the strategy does not implement it."""
        return str(credentials["username"])

    def secrets(self, credentials: Fields) -> list[str]:
        """Return the texts that must not appear in a response, a log or a stored document."""
        return [credentials["password"]]

    def proven(self, credentials: Fields) -> Fields | None:  # noqa: ARG002 - optional
        """Add the proof that the subject is the user's own: an owner must send it, and an administrator need not.

        None if the strategy demands none.
        """
        return None

    def settings(self) -> Fields:
        """Return settings for the host, by section."""
        return {}

    @asynccontextmanager
    async def harness(self, folder: Path) -> AsyncGenerator[Any, None]:
        """Open a host with the strategy in it."""
        async with open_strategy(folder, self.settings(), self.make) as (host, strategy):
            assert isinstance(strategy, KeepsCredentials), (
                "make() must return an instance of a subclass of visado.KeepsCredentials; a strategy without "
                "credentials has the suite LoginContract"
            )
            yield CredentialsHarness(host, strategy)

    async def enroll(self, harness: CredentialsHarness, number: int = 0) -> tuple[str, Fields]:
        """Create a user with credentials; return the id and the credentials."""
        user_id, credentials = await harness.create_user(number), self.credentials(number)
        await harness.strategy.validate(user_id, credentials, BY, update=False)
        await harness.strategy.create(user_id, credentials, BY)
        return user_id, credentials

    async def expect_accepted(self, harness: LoginHarness, credentials: Fields, user_id: str, advice: str) -> None:
        """Expect that these credentials log this user in, by the strategy alone and through the host."""
        sent = await resolve(self.login(credentials))
        if sent is None:
            return
        outcome = await harness.attempt(sent)
        assert user_of(outcome) == user_id, f"{advice}: return Success({user_id!r}), not {outcome!r}"
        sent = await resolve(self.login(credentials))
        expect_token(await expect_no_server_error(harness.log_in(sent)), user_id, advice)

    async def expect_rejected(self, harness: LoginHarness, credentials: Fields, advice: str) -> None:
        """Expect that these credentials log nobody in."""
        sent = await resolve(self.login(credentials))
        if sent is None:
            return
        outcome = await harness.attempt(sent)
        assert isinstance(outcome, Fail), f"{advice}: they still lead to {outcome!r}"

    async def expect_exists(self, harness: CredentialsHarness, user_id: str, expected: bool, when: str) -> None:
        """Expect an exact result of `exists`."""
        exists = await harness.strategy.exists(user_id)
        assert exists is expected, f"exists() must return {expected} {when}, not {short_repr(exists)}"

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
