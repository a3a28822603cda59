from __future__ import annotations

import pytest

from visado import errors
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
