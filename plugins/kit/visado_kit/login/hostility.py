"""Hostile input in every part of a request: the body, arguments, headers, cookies, the address."""

from __future__ import annotations

from typing import Any, ClassVar

from visado_kit.client_request import ClientRequest
from visado_kit.expectations import expect_no_server_error
from visado_kit.forms import form_members
from visado_kit.harness import with_harness
from visado_kit.hostile import HOSTILE_VALUES, hostile_requests, noisy_requests
from visado_kit.login.endings import LoginEndings
from visado_kit.login.suite import LoginHarness, right_request


class LoginHostility(LoginEndings):
    """Nothing that a client sends leads to an error of 500, or to a token that it should not get."""

    optional: ClassVar[frozenset[str]] = frozenset()
    """The members, arguments, headers and cookies of a right request whose values a login does not depend on."""

    @with_harness
    async def test_hostile_logins_are_refused(self, harness: LoginHarness) -> None:
        """Any value in the place of a right one leads to no token, and to no error of 500."""
        await self.prepare(harness, 0)
        first = right_request(await self.last_request(harness, 0))
        for index in range(len(list(hostile_requests(first)))):
            last = await self.last_request(harness, 0, through_host=True)
            name, sent = list(hostile_requests(right_request(last)))[index]
            await self.expect_no_login(harness, sent, last.after, guest=name in self.optional)

    @with_harness
    async def test_hostile_parts_beside_right_ones_raise_nothing(self, harness: LoginHarness) -> None:
        """Further members, arguments, headers, cookies and any address lead to no error of 500."""
        await self.prepare(harness, 0)
        members = form_members(harness.strategy.login_form)
        count = len(list(noisy_requests(right_request(await self.last_request(harness, 0)), members)))
        last = await self.last_request(harness, 0, through_host=True)
        for index in range(count):
            sent = list(noisy_requests(right_request(last), members))[index]
            await expect_no_server_error(harness.log_in(sent, last.after), sent)

    @with_harness
    async def test_hostile_first_requests_raise_nothing(self, harness: LoginHarness) -> None:
        """Any JSON in the members of `login_form`, or as a whole body, leads to no error of 500."""
        names = form_members(harness.strategy.login_form)
        bodies: list[Any] = [*({name: value} for name in names for value in HOSTILE_VALUES), [None], ["a"], []]
        for body in bodies:
            await expect_no_server_error(harness.log_in(ClientRequest(body)), body)
