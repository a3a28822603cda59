"""What a strategy declares: its name, its limits, its forms, and what it reads from a request without waiting."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from visado import Request, Strategy
from visado_kit.canaries import Canaries
from visado_kit.expectations import MAX_TIMEOUT_SECONDS, short_repr
from visado_kit.forms import expect_fit
from visado_kit.harness import with_harness
from visado_kit.hostile import hostile_requests, noisy_requests
from visado_kit.in_process import dump_documents
from visado_kit.login.suite import LoginHarness, LoginSuite, resolve, right_request
from visado_kit.login_request import as_login_request

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
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
        body = as_login_request(await resolve(self.request(harness, 0))).body
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


def _expect_pure(name: str, read: Callable[[Request], object], request: Request) -> None:
    fields, args = dict(request.fields), dict(request.args)
    try:
        first, second = read(request), read(request)
    except Exception as error:
        raise AssertionError(
            f"{name}() raised {error!r}: a request may hold any JSON; check types before using it, and return None"
        ) from None
    assert isinstance(first, (str, type(None))), f"{name}() must return a text or None, not {short_repr(first)}"
    assert first == second, f"{name}() must return the same for the same request, not {first!r} and {second!r}"
    unchanged = (fields, args) == (dict(request.fields), dict(request.args))
    assert unchanged, f"{name}() must not change the request, which authenticate() receives afterwards"
