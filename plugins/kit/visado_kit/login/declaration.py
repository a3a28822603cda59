"""What a strategy declares: its name, its limits, its forms, and what it reads from a request without waiting."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from visado import Request, Strategy
from visado_kit.canaries import Canaries
from visado_kit.client_request import ClientRequest, as_client_request
from visado_kit.expectations import MAX_TIMEOUT_SECONDS, expect_no_server_error, short_repr
from visado_kit.forms import expect_fit
from visado_kit.harness import with_harness
from visado_kit.hostile import hostile_requests, noisy_requests
from visado_kit.in_process import dump_documents
from visado_kit.login.suite import LoginHarness, LoginSuite, Step, resolve, right_request, subject_of

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_FULL_WIDTH: Final = 0xFEE0
"""The distance of a full-width character from that of ASCII."""
_ORIGIN: Final = re.compile(r"https?://[^/\s?#@]+")


class LoginDeclaration(LoginSuite):
    """The declarations of a strategy are valid, and requests fit them."""

    @with_harness
    async def test_is_declared_well(self, harness: LoginHarness) -> None:
        """The name, the texts for a login page, the limits and the origins are valid."""
        strategy = harness.strategy
        assert isinstance(strategy, Strategy), "make() must return an instance of a subclass of visado.Strategy"
        assert _NAME.fullmatch(strategy.name), (
            f"name: use letters, digits and dashes, because it is part of a URL; not {strategy.name!r}"
        )
        assert 0 < strategy.timeout <= MAX_TIMEOUT_SECONDS, (
            f"timeout: use more than 0 and at most {MAX_TIMEOUT_SECONDS} seconds, not {strategy.timeout}"
        )
        assert type(strategy.concurrency) is int, "concurrency: use an int, the number of logins that may run at once"
        assert strategy.title.isprintable(), f"title: use a printable text of one line, not {strategy.title!r}"
        icon = strategy.icon
        assert not icon or icon.startswith(("https://", "data:image/")), (
            f"icon: use an address with https: or data:image/, not {short_repr(icon)}"
        )
        for origin in strategy.posts_from - {"*"}:
            assert _ORIGIN.fullmatch(origin), (
                f"posts_from: use origins such as https://idp.example, without a path, or '*'; not {origin!r}"
            )

    @with_harness
    async def test_requests_fit_the_login_form(self, harness: LoginHarness) -> None:
        """The body of the first request of a right login has the members that `login_form` declares."""
        await self.prepare(harness, 0)
        body = as_client_request(await resolve(self.request(harness, 0))).body
        form = harness.strategy.login_form
        if form is not None and body:
            expect_fit("login_form", form, body)

    @with_harness
    async def test_reads_requests_without_an_effect(self, harness: LoginHarness) -> None:
        """`reference` and `subject` read any request: they raise nothing, and change neither it nor the storage."""
        await self.prepare(harness, 0)
        last = await self.last_request(harness, 0)
        right = right_request(last)
        before = await dump_documents(harness.host)
        sent = [right, *(each for _, each in hostile_requests(right)), *noisy_requests(right, ())]
        strategy = harness.strategy
        for request in (harness.build(each, last.after) for each in sent):
            _expect_pure("reference", strategy.reference, request)
            _expect_pure("subject", strategy.subject, request)
        after = await dump_documents(harness.host)
        assert after == before, "reference() and subject() must store nothing: the host calls them for every request"

    @with_harness
    async def test_a_wrong_secret_has_the_same_subject(self, harness: LoginHarness) -> None:
        """Failed logins are counted by the subject: it does not depend on the secret, and does not contain it."""
        await self.prepare(harness, 0)
        last = await self.last_request(harness, 0)
        strategy = harness.strategy
        subject = strategy.subject(harness.build(last.sent, last.after))
        Canaries(self.secrets_of(0)).check(subject, where="what subject() returns: it may be logged")
        wrong = self.wrong(last.sent)
        if wrong is None:
            return
        other = strategy.subject(harness.build(wrong, last.after))
        assert subject == other, (
            f"subject() must be the same for a right and a wrong secret, because failed logins are counted by it: "
            f"{subject!r} and {other!r}"
        )

    @with_harness
    async def test_spellings_of_a_subject_are_one_subject(self, harness: LoginHarness) -> None:
        """What logs in as one user is one subject and one user, whatever the case and the spaces around the name."""
        await self.prepare(harness, 0)
        first = await self._first_request(harness)
        names = [name for name, value in first.members.items() if isinstance(value, str)]
        names = [name for name in names if first.members[name] not in self.secrets_of(0)]
        if not names or not self.stable:
            pytest.skip("the body of a first request names nobody")
        expected = subject_of(await self.outcome(harness, 0))
        subject = harness.strategy.subject(harness.build(first))
        for name, index in ((name, index) for name in names for index in range(len(_spellings("")))):
            right = await self._first_request(harness)
            spelled = _spellings(right.members[name])[index]
            sent = replace(right, body={**right.members, name: spelled})
            who = subject_of(await self._continue(harness, sent))
            if who is None:
                continue
            assert who == expected, (
                f"one person must be one user: {spelled!r} logged in {who!r}, {first.members[name]!r} {expected!r}; "
                "return an Identity whose subject is a stable id, or a name in one spelling"
            )
            other = harness.strategy.subject(harness.build(sent))
            assert other == subject, (
                f"subject() must return one spelling for what logs in as one user, because failed logins are counted "
                f"by it: not {other!r} for {spelled!r}, and {subject!r} for {first.members[name]!r}"
            )

    async def _first_request(self, harness: LoginHarness) -> ClientRequest:
        return as_client_request(await resolve(self.request(harness, 0)))

    async def _continue(self, harness: LoginHarness, sent: ClientRequest) -> object:
        """Return the outcome of the login of user 0 that begins with this request."""
        step: object = await expect_no_server_error(harness.ask(sent), sent)
        for _ in range(1, self.steps):
            if not isinstance(step, Step) or step.question is None:
                break
            answer = await resolve(self.answer(harness, 0, step.question))
            step = await expect_no_server_error(harness.ask(answer, step), answer)
        return step.outcome if isinstance(step, Step) else step


def _spellings(name: str) -> tuple[str, ...]:
    """Return texts that a strategy may take for the same name: other case, spaces around it, full-width letters."""
    wide = "".join(chr(ord(each) + _FULL_WIDTH) if "!" <= each <= "~" else each for each in name)
    return name.upper(), name.lower(), name.swapcase(), f" {name}", f"{name} ", wide


def _expect_pure(name: str, read: Callable[[Request], object], request: Request) -> None:
    fields, args = dict(request.fields), dict(request.args)
    try:
        first = read(request)
        unchanged = (fields, args) == (dict(request.fields), dict(request.args))
        assert unchanged, f"{name}() must not change the request, which authenticate() receives afterwards"
        second = read(request)
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(
            f"{name}() raised {error!r}: a request may hold any JSON; check types before using it, and return None"
        ) from None
    assert isinstance(first, (str, type(None))), f"{name}() must return a text or None, not {short_repr(first)}"
    assert first == second, f"{name}() must return the same for the same request, not {first!r} and {second!r}"
