"""How a login ends, for right, wrong and missing input."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from visado import Challenge, Fail, Pass, Redirect, errors
from visado_kit.client_request import ClientRequest
from visado_kit.expectations import expect_no_server_error, short_repr
from visado_kit.harness import with_harness
from visado_kit.login.suite import LoginHarness, LoginSuite, Step, right_request


class LoginEndings(LoginSuite):
    """A login ends in an outcome or an error of `visado.errors`, and in the right one of them."""

    @with_harness
    async def test_a_right_login_succeeds(self, harness: LoginHarness) -> None:
        """The outcome is Success with the user's id, or with an identity of which the host finds or makes the user."""
        users = [await self.prepare(harness, number) for number in (0, 1)]
        advice = "a right login must log in its user"
        first, second = [await self.expect_login(harness, each, users[each], advice) for each in (0, 1)]
        assert first != second, f"{advice}: the logins 0 and 1 are of two users, and both logged in {first!r}"
        if self.stable:
            again = await self.expect_login(harness, 0, users[0], advice)
            assert again == first, (
                f"a second login must log in the same user, {first!r}, not {again!r}: return an Identity whose subject "
                "never changes, or declare stable = False for guests"
            )

    @with_harness
    async def test_wrong_secret_and_unknown_subject_fail_alike(self, harness: LoginHarness) -> None:
        """A response does not reveal whether a subject exists."""
        await self.prepare(harness, 0)
        if self.wrong((await self.last_request(harness, 0)).sent) is None:
            pytest.skip("wrong() returns None: a login has no secret")
        wrong = await self.outcome(harness, 0, self.wrong)
        assert isinstance(wrong, Fail), f"return Fail() for a wrong secret, not {wrong!r}"
        if self.unknown((await self.last_request(harness, 0)).sent) is None:
            return
        unknown = await self.outcome(harness, 0, self.unknown)
        assert wrong == unknown, (
            f"return the same Fail for an unknown subject and for a wrong secret, not {unknown!r} and {wrong!r}"
        )

    @with_harness
    async def test_empty_logins_pass_or_fail(self, harness: LoginHarness) -> None:
        """A login without input for the strategy does not end in Success, unless it is that of a guest."""
        await self.prepare(harness, 0)
        right = right_request(await self.last_request(harness, 0))
        empty: tuple[Any, ...] = (None, [], {})
        for body in empty:
            await self.expect_no_login(harness, ClientRequest(body), guest=right.is_empty)
        if self.passing() is not None:
            outcome: object = await harness.strategy.authenticate(harness.build(self.passing()))
            assert isinstance(outcome, Pass), (
                f"return Pass() for a login without input for the strategy, not {outcome!r}"
            )

    async def expect_no_login(
        self, harness: LoginHarness, sent: object, after: Step | None = None, *, guest: bool = False
    ) -> None:
        """Expect that a request leads to no token and no error of 500; with `guest`, a token is right."""
        entered = await expect_no_server_error(harness.log_in(sent, after), sent)
        token = getattr(entered.outcome, "token", None) if isinstance(entered, Step) else None
        assert guest or token is None, f"return Fail() for a login with {short_repr(sent)}: it logged in a user"

    @with_harness
    async def test_redirects_to_an_address(self, harness: LoginHarness) -> None:
        """A Redirect can be sent, over HTTP and on a socket."""
        sent = self.redirecting()
        if sent is None:
            pytest.skip("redirecting() returns None: this strategy never redirects")
        outcome = await harness.authenticate(sent)
        assert isinstance(outcome, Redirect), (
            f"return Redirect(location) for the request of redirecting(), not {outcome!r}"
        )
        absolute = outcome.location.startswith(("https://", "http://"))
        assert absolute, f"redirect to an absolute URL, not to {outcome.location!r}"
        response = await harness.host.log_in(sent, harness.strategy.name)
        assert response.error is None, (
            "a Redirect needs a location of one line, a status of 3xx or 200, texts to post, and a state and data that "
            f"JSON can represent: {outcome!r}"
        )

    @with_harness
    async def test_challenges_can_be_sent(self, harness: LoginHarness) -> None:
        """A Challenge reaches the client as 401 `security.login.challenged`, with a reference and its data."""
        sent = self.challenging()
        if sent is None:
            pytest.skip("challenging() returns None: this strategy never challenges")
        outcome = await harness.authenticate(sent)
        assert isinstance(outcome, Challenge), f"return a Challenge for the request of challenging(), not {outcome!r}"
        response = await harness.host.log_in(sent, harness.strategy.name)
        assert isinstance(response.error, errors.LoginChallenged), (
            "a Challenge needs a lifetime of up to an hour, 1 to 1000 tries, and a state and data that JSON can "
            f"represent: {outcome!r}"
        )

    @with_harness
    async def test_its_errors_pass(self, harness: LoginHarness) -> None:
        """An error of `visado.errors` reaches the client unchanged; any other would be a 500."""
        sent = self.raising()
        if sent is None:
            pytest.skip("raising() returns None: this strategy raises no error of its own")
        error = (await harness.host.log_in(sent, harness.strategy.name)).error
        unchanged = error is not None and not isinstance(error, (errors.PluginFailed, errors.LoginRefused))
        assert unchanged, f"raise an error of visado.errors, or your own subclass of one: the client got {error!r}"

    @with_harness
    async def test_the_whole_secret_counts(self, harness: LoginHarness) -> None:
        """A secret in other case, with a character less or more, or cut, is wrong."""
        await self.prepare(harness, 0)
        sent = (await self.last_request(harness, 0)).sent
        body = sent.body if isinstance(sent, ClientRequest) else sent
        secrets = self.secrets_of(0)
        names = [name for name, value in (body or {}).items() if value in secrets] if self.repeatable else []
        for name in names:
            for variant in variants((body or {})[name]):
                outcome = await harness.authenticate({**(body or {}), name: variant})
                assert isinstance(outcome, Fail), (
                    f"compare the whole secret without folding, trimming or cutting it: {variant!r} logged in for "
                    f"{(body or {})[name]!r}"
                )
        if not names:
            pytest.skip("the body of a login holds no secret that logs in again")


def variants(secret: str) -> Generator[str]:
    """Make texts that resemble the secret, and differ from it."""
    cut = (secret.upper(), secret.lower(), secret.swapcase(), secret[:-1], secret[1:], secret * 2)
    longer = (f"{secret} ", f" {secret}", f"{secret}\0", f"{secret}\n", f"{secret}x", secret[::-1])
    yield from (each for each in {*cut, *longer} if each != secret)
