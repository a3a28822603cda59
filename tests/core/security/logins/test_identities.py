from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from visado import errors
from visado.request import Request
from visado.security.strategies.chains import Chain
from visado.strategy import AccountRules, Fail, Identity, Strategy, Success

WRONG = "wrong name or password"


class Passport(Strategy):
    """Knows everybody, by the password `right`."""

    name = "passport"

    def __init__(self, **rules):
        self.accounts = AccountRules(refusal=WRONG, **rules)

    async def authenticate(self, request):
        name = request.fields.get("name")
        if request.fields.get("password") != "right":
            return Fail(WRONG)
        return Success(Identity(name, profile={"country": "tr"}))


class Counting(Strategy):
    """Refuses everybody, and counts."""

    name = "last"
    asked = 0

    async def authenticate(self, request):
        self.asked += 1
        return Fail("never")


async def link(inside, name):
    await inside.host.security.users.create({"profileIds": ["default"]}, f"{name}-kuid")
    await inside.host.security.credentials.link("passport", name, f"{name}-kuid")


async def login(inside, name, password):
    response = await inside.ask("auth:login", {"name": name, "password": password}, strategy="passport")
    return response.reply.result["_id"] if response.error is None else response.error.as_dict()


@pytest.mark.parametrize("required", [{}, {"country": ("de",)}])
def test_an_identity_that_may_not_log_in_looks_like_a_wrong_password(play, required):
    """Without a user, with a user that is deleted, and without a required value: a stranger cannot tell them apart."""

    async def scene(inside):
        await link(inside, "ann")
        refused = await login(inside, "ann", "wrong")
        assert (refused["id"], refused["message"]) == ("plugin.strategy.missing_user", WRONG)
        assert await login(inside, "bob", "right") == refused
        assert await login(inside, "ann", "right") == (refused if required else "ann-kuid")
        await inside.host.security.credentials.link("passport", "cem", "deleted-kuid")
        assert await login(inside, "cem", "right") == refused

    play(scene, strategies=[Passport(require=required)], accounts={"passport": {"profiles": ["default"]}})


@dataclass
class Ledger:
    """A gate that writes down the outcomes."""

    outcomes: list[object] = field(default_factory=list)

    async def enter(self, strategy, subject, request): ...

    async def leave(self, strategy, subject, request, outcome):
        self.outcomes.append(outcome)


def test_chains_and_gates_cannot_tell_it_from_a_wrong_password(play):
    """A chain goes on to its next member, and who counts failed logins counts it."""

    async def scene(inside):
        strategies, ledger = inside.host.security.strategies, Ledger()
        strategies.add(Chain("everybody", ["passport", "last"], strategies))
        strategies.gates.append(ledger)
        last, refused = strategies["last"], []
        for name, password in (("bob", "right"), ("bob", "wrong")):
            last.asked = 0
            ledger.outcomes.clear()
            body = {"name": name, "password": password}
            response = await inside.ask("auth:login", body, strategy="everybody")
            refused.append((response.error.as_dict(), last.asked, [*ledger.outcomes]))
        assert refused[0] == refused[1]
        assert refused[0][1:] == (1, [Fail(WRONG), Fail("never"), Fail(f"{WRONG}; never")])
        request = Request("1", "auth", "login", {}, {"name": "bob", "password": "right"})
        for name in ("passport", "everybody"):
            assert (await strategies.ask(name, request)).outcome.who.subject == "bob"

    play(scene, strategies=[Passport(), Counting()])


def test_an_identity_without_a_user_is_linked_by_a_chain(play):
    async def scene(inside):
        strategies, token = inside.host.security.strategies, await inside.user("bob-kuid")
        strategies.add(Chain("everybody", ["last", "passport"], strategies))
        body = {"name": "bob", "password": "right"}
        await inside.result("auth:link", body, token=token, strategy="everybody")
        assert await login(inside, "bob", "right") == "bob-kuid"

    play(scene, strategies=[Passport(), Counting()])


def test_a_refresh_is_refused_to_an_identity_that_lacks_what_is_required(play):
    """A strategy that asks again learns that the person may not log in any more."""

    async def scene(inside):
        await link(inside, "ann")
        identities, rules = inside.host.security.identities, inside.host.security.strategies["passport"].accounts
        await identities.refresh("passport", Identity("ann", {"country": "tr"}, {"seen": 1}), rules)
        with pytest.raises(errors.LoginRefused):
            await identities.refresh("passport", Identity("ann", {"country": "de"}, {"seen": 2}), rules)
        _, stored = await inside.host.security.credentials.find_of_user("passport", "ann-kuid")
        assert stored["seen"] == 1
        with pytest.raises(errors.NoCredentials):
            await identities.refresh("passport", Identity("bob", {"country": "tr"}), rules)

    play(scene, strategies=[Passport()], accounts={"passport": {"require": {"country": ["tr"]}}})
