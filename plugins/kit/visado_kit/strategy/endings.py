"""How a login may end, with right, wrong, missing and hostile input."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any, Final

import pytest

from visado import errors
from visado.request import Fields
from visado.strategy import Fail, Pass, Redirect, Strategy
from visado_kit.stage import HOSTILE, Stage, ask, staged, survived, told
from visado_kit.strategy.suite import StrategySuite

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LONGEST_TIMEOUT: Final = 60


class Endings(StrategySuite):
    """Success, Fail, Redirect, Pass, and an error: no other way out, and the right one."""

    @staged
    async def test_is_declared_well(self, stage: Stage) -> None:
        """Its name, fields and limits make sense."""
        strategy = stage.strategy
        assert isinstance(strategy, Strategy), "make() returns an instance of a subclass of visado.Strategy"
        assert _NAME.fullmatch(strategy.name), f"name: letters, digits and dashes, for addresses; not {strategy.name!r}"
        assert type(strategy.fields) is tuple, "fields: a tuple of names; a single one is written ('name',)"
        missing = {*self.credentials(0)} - {*strategy.fields}
        assert not missing, f"fields: name everything that credentials hold; {', '.join(sorted(missing))} is not there"
        assert 0 < strategy.timeout <= _LONGEST_TIMEOUT, "timeout: seconds, more than none and no more than 60"
        assert type(strategy.concurrency) is int, "concurrency: how many logins run at once, a whole number"

    @staged
    async def test_right_credentials_succeed(self, stage: Stage) -> None:
        """Success of the user who owns the credentials."""
        user_id, credentials = await self.enroll(stage)
        await self.enroll(stage, 1)
        await self.gets_in(stage, credentials, user_id, "right credentials log their owner in")

    @staged
    async def test_wrong_secret_and_unknown_subject_fail_alike(self, stage: Stage) -> None:
        """Nobody learns from an answer who exists."""
        _, credentials = await self.enroll(stage)
        body = self.login(credentials)
        wrong, unknown = await stage.login(self.wrong(body)), await stage.login(self.unknown(body))
        assert isinstance(wrong, Fail), f"return Fail() for a wrong secret, not {wrong!r}"
        assert wrong == unknown, f"an unknown subject and a wrong secret fail alike, not with {unknown!r} and {wrong!r}"

    @staged
    async def test_nothing_for_it_is_passed_or_failed(self, stage: Stage) -> None:
        """An empty login is Pass, Fail or Redirect."""
        nothing: tuple[Any, ...] = (None, [], {})
        for body in nothing:
            await self._refuses(stage, body)
        if self.passing() is not None:
            outcome = await stage.login(self.passing())
            assert outcome == Pass(), f"return Pass() where a login holds nothing for the strategy, not {outcome!r}"

    @staged
    async def test_redirects_to_an_address(self, stage: Stage) -> None:
        """A redirection can be sent, over HTTP and on a socket."""
        body = self.redirecting()
        if body is None:
            pytest.skip("this strategy never redirects")
        outcome = await stage.login(body)
        assert isinstance(outcome, Redirect), f"return Redirect(location) for what redirecting() makes, not {outcome!r}"
        whole = outcome.location.startswith(("https://", "http://"))
        assert whole, f"Redirect to a whole address, with its scheme, not to {outcome.location!r}"
        answer = await ask(stage.host, "auth:login", body, strategy=stage.strategy.name)
        assert answer.error is None, (
            f"a Redirect has a location of one line, a status of 3xx or 200, and data that JSON can write: {outcome!r}"
        )

    @staged
    async def test_its_errors_pass(self, stage: Stage) -> None:
        """An error of `visado.errors` reaches the client as it is; what else is raised would be a 500."""
        body = self.raising()
        if body is None:
            pytest.skip("this strategy raises nothing of its own")
        answer = await ask(stage.host, "auth:login", body, strategy=stage.strategy.name)
        plain = answer.error is not None and not isinstance(answer.error, (errors.PluginFailed, errors.LoginRefused))
        assert plain, f"raise one of visado.errors, or your own subclass of one: this ended in {answer.error!r}"

    @staged
    async def test_hostile_logins_end_in_a_refusal(self, stage: Stage) -> None:
        """Whatever JSON stands where a text should: no token, and no 500."""
        _, credentials = await self.enroll(stage)
        body = self.login(credentials)
        for field in body:
            for value in HOSTILE:
                await self._refuses(stage, {**body, field: value})
        for value in HOSTILE:
            await self._refuses(stage, dict.fromkeys(body, value))

    async def _refuses(self, stage: Stage, body: Any) -> None:
        found = await survived(stage.enter(body), body)
        assert isinstance(found, (Redirect, errors.VisadoError)), f"nobody logs in with {told(body)}: return Fail()"

    @staged
    async def test_the_whole_secret_counts(self, stage: Stage) -> None:
        """What is nearly the secret is wrong: other case, a character less or more, however long it is."""
        user_id, credentials = await self.enroll(stage)
        body = self.login(credentials)
        fields = [field for field, value in body.items() if value in self.secrets(credentials)]
        for field in fields:
            for near in _nearly(body[field]):
                outcome = await stage.login({**body, field: near})
                mend = "compare the whole secret, as it is: do not fold, trim or cut it"
                assert isinstance(outcome, Fail), f"{mend}; {near!r} logged in for {body[field]!r}"
            await self._check_long(stage, user_id, credentials, field)
        if not fields:
            pytest.skip("no secret is in the body of a login")

    async def _check_long(self, stage: Stage, user_id: str, credentials: Fields, field: str) -> None:
        if field not in credentials:
            return
        long = {**credentials, field: credentials[field] + "x" * 100}
        await stage.strategy.delete(user_id)
        if isinstance(
            await survived(stage.host.security.strategies.create(stage.strategy.name, user_id, long), long), Exception
        ):
            return
        await self.gets_in(stage, long, user_id, "a long secret that was taken works")
        outcome = await stage.login({**self.login(long), field: f"{long[field][:-1]}y"})
        assert isinstance(outcome, Fail), "a long secret counts to its end: refuse what is too long, or hash all of it"


def _nearly(secret: str) -> Generator[str]:
    """Texts that are not quite the secret."""
    near = (secret.upper(), secret.lower(), secret.swapcase(), secret[:-1], secret[1:], secret * 2)
    more = (f"{secret} ", f" {secret}", f"{secret}\0", f"{secret}\n", f"{secret}x", secret[::-1])
    yield from (each for each in {*near, *more} if each != secret)
