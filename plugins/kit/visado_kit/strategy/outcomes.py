"""The outcome of a login, for right, wrong, missing and hostile input."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any, Final

import pytest

from visado import Fail, Fields, Pass, Redirect, Strategy, errors
from visado_kit.expectations import MAX_TIMEOUT_SECONDS, expect_no_server_error, short_repr
from visado_kit.harness import with_harness
from visado_kit.hostile import HOSTILE_VALUES
from visado_kit.strategy.suite import BY, StrategyHarness, StrategySuite

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class StrategyOutcomes(StrategySuite):
    """A login ends in Success, Fail, Redirect, Pass or an error of `visado.errors`, and in the right one of them."""

    @with_harness
    async def test_is_declared_well(self, harness: StrategyHarness) -> None:
        """The name, the fields and the limits are valid."""
        strategy = harness.strategy
        assert isinstance(strategy, Strategy), "make() must return an instance of a subclass of visado.Strategy"
        assert _NAME.fullmatch(strategy.name), (
            f"name: use letters, digits and dashes, because it is part of a URL; not {strategy.name!r}"
        )
        missing = {*self.credentials(0)} - {*harness.host.strategies.fields(strategy.name)}
        assert not missing, f"credentials_form: declare every member; {', '.join(sorted(missing))} is missing"
        assert 0 < strategy.timeout <= MAX_TIMEOUT_SECONDS, (
            f"timeout: use more than 0 and at most {MAX_TIMEOUT_SECONDS} seconds, not {strategy.timeout}"
        )
        assert type(strategy.concurrency) is int, "concurrency: use an int, the number of logins that may run at once"

    @with_harness
    async def test_right_credentials_succeed(self, harness: StrategyHarness) -> None:
        """The outcome is Success with the id of the user who owns the credentials."""
        user_id, credentials = await self.enroll(harness)
        await self.enroll(harness, 1)
        await self.expect_login(harness, credentials, user_id, "right credentials must log in their owner")

    @with_harness
    async def test_wrong_secret_and_unknown_subject_fail_alike(self, harness: StrategyHarness) -> None:
        """A response does not reveal whether a subject exists."""
        _, credentials = await self.enroll(harness)
        body = self.login(credentials)
        wrong = await harness.authenticate(self.wrong(body))
        unknown = await harness.authenticate(self.unknown(body))
        assert isinstance(wrong, Fail), f"return Fail() for a wrong secret, not {wrong!r}"
        assert wrong == unknown, (
            f"return the same Fail for an unknown subject and for a wrong secret, not {unknown!r} and {wrong!r}"
        )

    @with_harness
    async def test_empty_logins_pass_or_fail(self, harness: StrategyHarness) -> None:
        """A login without input for the strategy ends in Pass, Fail, Redirect or an error."""
        empty: tuple[Any, ...] = (None, [], {})
        for body in empty:
            await self._expect_no_login(harness, body)
        if self.passing() is not None:
            outcome = await harness.authenticate(self.passing())
            assert outcome == Pass(), f"return Pass() for a login without input for the strategy, not {outcome!r}"

    @with_harness
    async def test_redirects_to_an_address(self, harness: StrategyHarness) -> None:
        """A Redirect can be sent, over HTTP and on a socket."""
        body = self.redirecting()
        if body is None:
            pytest.skip("redirecting() returns None: this strategy never redirects")
        outcome = await harness.authenticate(body)
        assert isinstance(outcome, Redirect), (
            f"return Redirect(location) for the body of redirecting(), not {outcome!r}"
        )
        absolute = outcome.location.startswith(("https://", "http://"))
        assert absolute, f"redirect to an absolute URL, not to {outcome.location!r}"
        response = await harness.host.run("auth:login", body, strategy=harness.strategy.name)
        assert response.error is None, (
            "a Redirect needs a location of one line, a status of 3xx or 200, and data that JSON can represent: "
            f"{outcome!r}"
        )

    @with_harness
    async def test_its_errors_pass(self, harness: StrategyHarness) -> None:
        """An error of `visado.errors` reaches the client unchanged; any other would be a 500."""
        body = self.raising()
        if body is None:
            pytest.skip("raising() returns None: this strategy raises no error of its own")
        response = await harness.host.run("auth:login", body, strategy=harness.strategy.name)
        error = response.error
        unchanged = error is not None and not isinstance(error, (errors.PluginFailed, errors.LoginRefused))
        assert unchanged, f"raise an error of visado.errors, or your own subclass of one: the client got {error!r}"

    @with_harness
    async def test_hostile_logins_are_refused(self, harness: StrategyHarness) -> None:
        """Any JSON in the place of a text leads to no token, and to no error of 500."""
        _, credentials = await self.enroll(harness)
        body = self.login(credentials)
        for field in body:
            for value in HOSTILE_VALUES:
                await self._expect_no_login(harness, {**body, field: value})
        for value in HOSTILE_VALUES:
            await self._expect_no_login(harness, dict.fromkeys(body, value))

    async def _expect_no_login(self, harness: StrategyHarness, body: Any) -> None:
        outcome = await expect_no_server_error(harness.log_in(body), body)
        assert isinstance(outcome, (Redirect, errors.VisadoError)), (
            f"return Fail() for a login with {short_repr(body)}: it logged in a user"
        )

    @with_harness
    async def test_the_whole_secret_counts(self, harness: StrategyHarness) -> None:
        """A secret in other case, with a character less or more, or cut at any length, is wrong."""
        user_id, credentials = await self.enroll(harness)
        body = self.login(credentials)
        fields = [field for field, value in body.items() if value in self.secrets(credentials)]
        for field in fields:
            for variant in _variants(body[field]):
                outcome = await harness.authenticate({**body, field: variant})
                assert isinstance(outcome, Fail), (
                    f"compare the whole secret without folding, trimming or cutting it: {variant!r} logged in for "
                    f"{body[field]!r}"
                )
            await self._check_long_secret(harness, user_id, credentials, field)
        if not fields:
            pytest.skip("the body of a login holds no secret")

    async def _check_long_secret(self, harness: StrategyHarness, user_id: str, credentials: Fields, field: str) -> None:
        if field not in credentials:
            return
        long = {**credentials, field: credentials[field] + "x" * 100}
        await harness.strategy.delete(user_id, BY)
        creation = harness.host.security.strategy_credentials.create(harness.strategy.name, user_id, long, BY)
        if isinstance(await expect_no_server_error(creation, long), Exception):
            return
        await self.expect_login(harness, long, user_id, "a long secret that create() accepted must log in")
        outcome = await harness.authenticate({**self.login(long), field: f"{long[field][:-1]}y"})
        assert isinstance(outcome, Fail), (
            "compare a long secret to its end: refuse a secret that is too long, or hash all of it"
        )


def _variants(secret: str) -> Generator[str]:
    """Make texts that resemble the secret, and differ from it."""
    cut = (secret.upper(), secret.lower(), secret.swapcase(), secret[:-1], secret[1:], secret * 2)
    longer = (f"{secret} ", f" {secret}", f"{secret}\0", f"{secret}\n", f"{secret}x", secret[::-1])
    yield from (each for each in {*cut, *longer} if each != secret)
