"""`auth:getLoginForms`: what a login page may show, open to strangers unless the operator closes it."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field

from tests.core.controllers.over_http import http
from tests.core.security.logins.scripts import Told
from visado.security.strategies.chains import Chain


class Form(BaseModel):
    username: str = Field(description="Who you are.")
    password: str
    otp: str = ""


class Untold(BaseModel):
    model_config = {"arbitrary_types_allowed": True}
    thing: object.__class__ = Field(default=object)


def test_a_stranger_sees_the_listed_forms_although_no_role_says_so(play):
    async def scene(inside):
        await inside.restrict()
        await inside.user("boss", "admin")
        for _ in range(3):  # the third may come from the cache
            status, _, answer = await http(inside, "GET", "/_loginForms")
            assert status == 200
        forms = {each["strategy"]: each for each in answer["result"]}
        assert forms["plain"] == {"strategy": "plain", "title": "plain", "icon": "", "form": None}
        assert (forms["pretty"]["title"], forms["pretty"]["icon"]) == ("Our house", "https://x.example/i.png")
        schema = forms["pretty"]["form"]
        assert (list(schema["properties"]), schema["required"]) == (
            ["username", "password", "otp"],
            ["username", "password"],
        )
        assert schema["properties"]["username"]["description"] == "Who you are."
        assert "secret" not in forms
        strategies = inside.host.security.strategies
        strategies.add(Chain("chain", ["plain", "pretty"], strategies))
        _, _, answer = await http(inside, "GET", "/_loginForms")
        forms = {each["strategy"]: each for each in answer["result"]}
        assert forms["chain"]["form"] == schema

    pretty = Told("pretty", title="Our house", icon="https://x.example/i.png", login_form=Form)
    play(scene, strategies=[Told("plain"), pretty, Told("secret", listed=False)])


def test_the_operator_closes_what_is_open(play):
    async def scene(inside):
        await inside.restrict()
        token = await inside.user("boss", "admin")
        assert await inside.error("auth:getLoginForms") == "security.rights.unauthorized"
        assert await inside.error("auth:getLoginForms", token=token) is None

    play(scene, security={"closed_actions": ["auth:getLoginForms"]})


@pytest.mark.parametrize(
    "members",
    [
        {"title": 5}, {"icon": None}, {"icon": "javascript:alert(1)"}, {"icon": "http://x.example/i.png"}, {"listed": 1},
        {"posts_from": frozenset({5})}, {"posts_from": {"https://x.example"}}, {"login_form": Untold}, {"login_form": dict},
        {"accounts": {"auto_create": True}},
    ],
)  # fmt: skip
def test_a_strategy_whose_declarations_are_wrong_is_refused_at_once(play, members):
    async def scene(inside):
        with pytest.raises(TypeError):
            inside.host.security.strategies.add(Told("wrong", **members))
        assert await inside.error("auth:getLoginForms") is None

    play(scene)
