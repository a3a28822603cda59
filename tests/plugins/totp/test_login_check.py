"""Users who must enrol and do so at their next login, and logins that proved a second factor already."""

from __future__ import annotations

import asyncio

import pytest

from visado import Strategy, Success
from visado_kit.in_process import build_host

from .conftest import Door
from .phone import Phone


@pytest.fixture
def door(running, transport):
    return Door(running("required = true\n"), transport)


def test_a_user_enrols_at_login(door, name):
    challenge = door.challenged(door.user(name))
    data = challenge["data"]
    assert data["enrol"] is True
    assert data["qr"].startswith("data:image/png;base64,")
    phone = Phone(data["uri"])
    assert phone.secret == data["secret"]
    answer = door.reply(challenge, phone.wrong())
    assert answer.error_id == "security.login.challenged"
    challenge = answer.result["challenge"]
    assert (challenge["data"]["secret"], challenge["data"]["attempts"]) == (phone.secret, 2), "the one that was scanned"
    code = phone.code()
    answer = door.reply(challenge, code)
    assert answer.result["_id"] == name
    assert len(answer.result["recoveryCodes"]) == 10
    status = door.query("totp:getStatus", token=answer.result["jwt"]).result
    assert (status["enrolled"], status["required"]) == (True, True)
    challenge = door.challenged(name)
    assert challenge["data"]["enrol"] is False
    assert "secret" not in challenge["data"]
    answer = door.reply(challenge, code)
    assert answer.error_id == "security.login.challenged", "the code that enrolled is used up"
    assert "jwt" in door.reply(answer.result["challenge"], phone.code()).result


def test_who_knows_no_more_than_the_reference_is_told_the_rest(door, name):
    challenge = door.challenged(door.user(name))
    answer = door.query("auth:login", strategy="local", body={"challenge": challenge["reference"]})
    assert answer.error_id == "security.login.challenged"
    assert answer.result["challenge"]["data"] == challenge["data"]
    assert answer.result["challenge"]["reference"] != challenge["reference"]
    code = Phone(challenge["data"]["uri"]).code()
    assert "jwt" in door.reply(answer.result["challenge"], code).result


def test_of_two_who_enrol_the_first_one_counts(door, name):
    first, second = door.challenged(door.user(name)), door.challenged(name)
    theirs, mine = Phone(first["data"]["uri"]), Phone(second["data"]["uri"])
    assert theirs.secret != mine.secret
    assert "jwt" in door.reply(first, theirs.code()).result
    assert door.reply(second, mine.code()).error_id == "totp.enrolment.exists"
    assert "jwt" in door.reply(door.challenged(name), theirs.code()).result


def test_who_disables_it_enrols_again_at_the_next_login(door, name):
    challenge = door.challenged(door.user(name))
    phone = Phone(challenge["data"]["uri"])
    token = door.reply(challenge, phone.code()).result["jwt"]
    door.query("totp:disable", token=token, body={"code": phone.code()})
    assert door.challenged(name)["data"]["secret"] != phone.secret


def test_after_three_wrong_codes_a_login_begins_anew(door, name):
    challenge = door.challenged(door.user(name))
    for _ in range(2):
        challenge = door.reply(challenge, "123").result["challenge"]
    assert door.reply(challenge, "123").error_id == "plugin.strategy.missing_user"


def test_profiles_and_roles_are_asked(running, transport, name):
    door = Door(running('required_profiles = ["staff"]\nrequired_roles = ["keeper"]\nmay_disable = false\n'), transport)
    door.host.query(
        "security:createOrReplaceRole", _id="keeper", body={"controllers": {"totp": {"actions": {"*": True}}}}
    )
    door.host.query("security:createOrReplaceProfile", _id="staff", body={"policies": [{"roleId": "default"}]})
    door.host.query("security:createOrReplaceProfile", _id="keepers", body={"policies": [{"roleId": "keeper"}]})
    door.token(door.user(name))
    assert door.challenged(door.user(f"{name}-1", profileIds=["default", "staff"]))["data"]["enrol"] is True
    challenge = door.challenged(door.user(f"{name}-2", profileIds=["keepers"]))
    phone = Phone(challenge["data"]["uri"])
    token = door.reply(challenge, phone.code()).result["jwt"]
    answer = door.query("totp:disable", token=token, body={"code": phone.code()})
    assert answer.error_id == "totp.enrolment.required"
    door.challenged(f"{name}-2")


class Proves(Strategy):
    """Logs in the user that the body names, who proved these methods."""

    name = "proves"

    async def authenticate(self, request):
        return Success(request.fields["user"], methods=frozenset(request.fields["methods"]))


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize(
    ("satisfied_by", "methods", "passes"),
    [
        ([], ["mfa", "hwk"], False),
        (["mfa", "hwk"], [], False),
        (["mfa", "hwk"], ["pwd"], False),
        (["mfa", "hwk"], ["pwd", "hwk"], True),
        (["mfa"], ["mfa"], True),
        (["mfa"], ["MFA"], False),
    ],
)
def test_a_login_that_proved_enough_needs_no_code(tmp_path, satisfied_by, methods, passes, required):
    settings = {"totp": {"satisfied_by": satisfied_by, "required": required}}

    async def scene():
        async with build_host(tmp_path, settings) as host:
            host.replace_strategy(Proves())
            await host.open()
            user = await host.create_user()
            if not required:
                enrolments = next(each for each in host.login_checks if each.name == "totp").enrolments
                key, offer = enrolments.offer(user)
                phone = Phone(key.uri("visado", user))
                await enrolments.enrol(user, offer, phone.at(phone.step))
            response = await host.run("auth:login", {"user": user, "methods": methods}, strategy="proves")
            if not passes:
                assert response.error.challenge["data"]["enrol"] is required
                return
            token = await host.tokens.verify(response.reply.result["jwt"])
            assert set(token.methods) == set(methods), "the code that was not asked for is no method"

    asyncio.run(scene())


def test_a_code_is_a_method_of_the_token(tmp_path):
    async def scene():
        async with build_host(tmp_path, {"totp": {"required": True}}) as host:
            host.replace_strategy(Proves())
            await host.open()
            user = await host.create_user()
            login = await host.run("auth:login", {"user": user, "methods": ["pwd"]}, strategy="proves")
            challenge = login.error.challenge
            phone = Phone(challenge["data"]["uri"])
            body = {"challenge": challenge["reference"], "code": phone.at(phone.step)}
            response = await host.run("auth:login", body, strategy="proves")
            token = await host.tokens.verify(response.reply.result["jwt"])
            assert set(token.methods) == {"pwd", "otp", "mfa"}

    asyncio.run(scene())
