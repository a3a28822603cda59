"""Pending logins: how many may wait, and which end with their user."""

from __future__ import annotations

import pytest

from visado.login_check import Accept, LoginCheck
from visado.security.logins import pending_logins
from visado.strategy import Challenge, Success

from .scripts import Told

REFUSED = "plugin.strategy.missing_user"


def test_a_flood_is_answered_with_503_and_recovers(play, monkeypatch):
    monkeypatch.setattr(pending_logins, "MAX_PENDING", 3)

    async def scene(inside):
        await inside.user("ann")
        references = []
        for _ in range(3):
            response = await inside.ask("auth:login", {}, strategy="told")
            references.append(response.reply.result["challenge"]["reference"])
        response = await inside.ask("auth:login", {}, strategy="told")
        assert (response.error.status, response.error.id) == (503, "api.process.overloaded")
        assert (await inside.result("auth:login", {"challenge": references[0]}, strategy="told"))["_id"] == "ann"
        assert await inside.error("auth:login", {}, strategy="told") == "security.login.challenged"
        assert await inside.error("auth:login", {}, strategy="told") == "api.process.overloaded"
        inside.clock.now += 300_000  # those that wait are too old now, although nobody purged them yet
        assert await inside.error("auth:login", {}, strategy="told") == "security.login.challenged"
        assert len(await inside.rows("challenges")) == 1

    play(scene, strategies=[Told("told", Challenge(), Success("ann"))])


def test_a_flood_of_strangers_prevents_no_login_check(play, monkeypatch):
    monkeypatch.setattr(pending_logins, "MAX_PENDING", 0)
    monkeypatch.setattr(pending_logins, "MAX_PENDING_PER_USER", 2)

    class Check(LoginCheck):
        name = "check"

        async def check(self, login):
            return Challenge()

        async def answer(self, login, state):
            return Accept()

    async def scene(inside):
        await inside.user("ann")
        inside.host.security.login_checks.add(Check())
        assert await inside.error("auth:login", {}, strategy="stranger") == "api.process.overloaded"
        for _ in range(5):
            response = await inside.ask("auth:login", {}, strategy="ann")
        answer = {"challenge": response.reply.result["challenge"]["reference"]}
        assert (await inside.result("auth:login", answer, strategy="ann"))["_id"] == "ann"
        assert len(await inside.rows("challenges")) == 1

    play(scene, strategies=[Told("stranger", Challenge()), Told("ann", Success("ann"))])


@pytest.mark.parametrize("how", ["delete", "revoke"])
def test_the_pending_logins_of_a_user_end_with_its_tokens(play, how):
    async def scene(inside):
        security = inside.host.security
        token = await inside.user("ann")
        await security.pending_logins.create(
            pending_logins.new_reference(), 60, {"userId": "ann", "tries": 1, "owner": None}
        )
        assert await inside.error("auth:link", {}, strategy="told", token=token) == "security.login.challenged"
        assert await inside.error("auth:login", {}, strategy="told") == "security.login.challenged"
        assert len(await inside.rows("challenges")) == 3
        await (security.accounts.delete("ann") if how == "delete" else security.tokens.revoke_all("ann"))
        (left,) = (await inside.rows("challenges")).values()
        assert (left["userId"], left["owner"]) == (None, None)

    play(scene, strategies=[Told("told", Challenge(), Success("ann"))])
