from __future__ import annotations

import asyncio
import base64
import json

import jwt
import pytest

from visado import Fail, errors
from visado.controller import ActionTable
from visado_local.errors import ExpiredResetToken, InvalidResetToken, WeakPassword

HOUR = 3_600_000
NEW = "a password after the reset"
CONTROLLER = "kuzzle-plugin-auth-passport-local/password"


async def call(local, name, body=None, args=None):
    action = ActionTable([local.controller]).find(CONTROLLER, name)
    request = local.ask(None, body, args)
    return await action.handler(request, **action.arguments(request))


def test_the_routes_are_those_of_the_contract(play):
    async def scene(local):
        table = ActionTable([local.controller])
        assert {(route.verb, route.path) for action in table for route in action.routes} == {
            ("GET", "/_plugin/kuzzle-plugin-auth-passport-local/password/resetToken/:_id"),
            ("GET", "/_/password/resetToken/:_id"),
            ("POST", "/_plugin/kuzzle-plugin-auth-passport-local/password/reset"),
            ("POST", "/_/password/reset"),
        }

    play(scene)


def test_a_reset_sets_the_password_and_logs_in(play):
    async def scene(local):
        user_id = await local.enroll()
        token = (await call(local, "getResetPasswordToken", args={"_id": user_id}))["resetToken"]
        answer = await call(local, "reset", {"password": NEW, "token": token})
        assert answer.keys() == {"_id", "jwt", "expiresAt", "ttl"}
        assert answer["_id"] == user_id
        token = await local.host.security.tokens.verify(answer["jwt"])
        assert (token.user_id, token.strategy) == (user_id, "local")
        assert not token.methods, "a reset token proves no method: login checks are asked"
        assert await local.login(password=NEW) == local.success(user_id)
        assert isinstance(await local.login(), Fail)

    play(scene)


def test_of_many_resets_with_one_token_one_succeeds(play):
    async def scene(local):
        user_id = await local.enroll()
        token = await local.strategy.reset_token(user_id)
        resets = [local.strategy.reset_password(token, f"{NEW} {number}") for number in range(20)]
        results = await asyncio.gather(*resets, return_exceptions=True)
        assert results.count(user_id) == 1
        assert sum(isinstance(result, InvalidResetToken) for result in results) == 19
        winner = results.index(user_id)
        assert await local.login(password=f"{NEW} {winner}") == local.success(user_id)

    play(scene)


def test_a_token_dies_with_the_password_that_it_resets(play):
    async def scene(local):
        user_id = await local.enroll()
        token = await local.strategy.reset_token(user_id)
        await local.change(user_id, password="another password")
        with pytest.raises(InvalidResetToken):
            await local.strategy.reset_password(token, NEW)
        token = await local.strategy.reset_token(user_id)
        await local.delete(user_id)
        with pytest.raises(InvalidResetToken):
            await local.strategy.reset_password(token, NEW)
        await local.create(user_id, {"username": "ann", "password": "another password"})
        with pytest.raises(InvalidResetToken):
            await local.strategy.reset_password(token, NEW)

    play(scene)


def test_a_token_outlives_a_change_of_name_and_a_better_hash(play):
    async def scene(local):
        user_id = await local.enroll()
        token = await local.strategy.reset_token(user_id)
        await local.change(user_id, username="anne")
        await local.seed(user_id, hash="as if hashed anew")
        assert await local.strategy.reset_password(token, NEW) == user_id

    play(scene)


def test_a_token_lives_an_hour(play):
    async def scene(local):
        user_id = await local.enroll()
        token = await local.strategy.reset_token(user_id)
        claims = jwt.decode(token, options={"verify_signature": False})
        assert claims["exp"] - claims["iat"] == 3600
        assert (claims["resetForKuid"], claims["iss"]) == (user_id, "kuzzle-plugin-auth-passport-local")
        local.now += HOUR
        with pytest.raises(ExpiredResetToken) as refused:
            await call(local, "reset", {"password": NEW, "token": token})
        assert refused.value.status == 401
        local.now -= 1
        await call(local, "reset", {"password": NEW, "token": token})

    play(scene)


def test_a_reset_that_a_policy_refuses_does_not_use_the_token_up(play):
    async def scene(local):
        user_id = await local.enroll()
        token = await local.strategy.reset_token(user_id)
        with pytest.raises(WeakPassword):
            await local.strategy.reset_password(token, "weak")
        assert await local.strategy.reset_password(token, NEW) == user_id

    play(scene, password_policies=[{"applies_to": "*", "password_regex": "^.{8,}$"}])


def test_reset_tokens_and_sessions_are_two_things(play):
    async def scene(local):
        user_id = await local.enroll()
        token = await local.strategy.reset_token(user_id)
        for text in (token, f"kauth-{token}"):
            with pytest.raises(errors.InvalidToken):
                await local.host.security.tokens.verify(text)
        user = await local.host.security.users.get(user_id)
        session = (await local.host.security.tokens.create(user.id)).text
        for text in (session, session.removeprefix("kauth-")):
            with pytest.raises(InvalidResetToken):
                await local.strategy.reset_password(text, NEW)

    play(scene)


def test_the_secret_is_kept_and_reading_writes_nothing(play):
    async def scene(local):
        secret = await local.host.storage.get("local-secrets", "reset")
        user_id = await local.enroll()
        assert len(secret["value"]) == 64
        token = await local.strategy.reset_token(user_id)
        assert await local.host.storage.get("local-secrets", "reset") == secret
        local.strategy = local.made()
        assert await local.strategy.reset_password(token, NEW) == user_id

    play(scene)


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forged(token, secret):
    _, body, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    yield from ("garbage", "..", "a.b.c", token + "x", token[:-2], token.upper(), "\ud800", "é", " " + token)
    yield from ("x" * 10_000, "." * 4_000, f"{'[' * 3_000}.{body}.{signature}", part("[" * 900) + "..")
    yield f"{part({'alg': 'none', 'typ': 'JWT'})}.{body}."
    yield f"{part({'alg': 'HS256', 'kid': '../../x', 'jku': 'http://x'})}.{body}.{signature}"
    yield jwt.encode(claims, "0" * 64)
    yield jwt.encode(claims, secret, algorithm="HS512")
    for name in ("resetForKuid", "revision", "exp", "iat", "iss"):
        yield jwt.encode({key: value for key, value in claims.items() if key != name}, secret)
    for name, value in (("exp", "soon"), ("exp", 1e400), ("revision", 1), ("revision", ""), ("resetForKuid", 5)):
        yield jwt.encode({**claims, name: value}, secret)
    yield jwt.encode({**claims, "resetForKuid": "kuid-of-nobody"}, secret)
    for issuer in ("visado", ["kuzzle-plugin-auth-passport-local"]):
        try:
            yield jwt.encode({**claims, "iss": issuer}, secret)
        except TypeError:
            continue


def test_forged_tokens_are_invalid(play):
    async def scene(local):
        user_id = await local.enroll()
        token = await local.strategy.reset_token(user_id)
        secret = (await local.host.storage.get("local-secrets", "reset"))["value"]
        for text in forged(token, secret):
            with pytest.raises((InvalidResetToken, ExpiredResetToken)):
                await call(local, "reset", {"password": NEW, "token": text})
        assert await local.login() == local.success(user_id)

    play(scene)


@pytest.mark.parametrize(
    ("body", "id", "message"),
    [
        (None, "local.reset.body_required", "Missing request body"),
        ([], "local.reset.password_required", 'Missing "password" attribute'),
        ({"token": "x"}, "local.reset.password_required", 'Missing "password" attribute'),
        (
            {"token": "x", "password": " "},
            "local.reset.password_invalid",
            "Invalid password supplied. Must be a non-empty string",
        ),
        (
            {"token": "x", "password": 42},
            "local.reset.password_invalid",
            "Invalid password supplied. Must be a non-empty string",
        ),
        ({"password": "x"}, "local.reset.token_required", 'Missing "token" attribute'),
        ({"password": "x", "token": 42}, "local.reset.token_invalid", "Invalid token supplied"),
        (
            {"password": "x", "token": "garbage"},
            "plugin.kuzzle-plugin-auth-passport-local.invalid_token",
            "Invalid token",
        ),
    ],
)
def test_refused_resets(play, body, id, message):
    async def scene(local):
        await local.enroll()
        with pytest.raises(errors.VisadoError) as refused:
            await call(local, "reset", body)
        assert (refused.value.id, refused.value.text, refused.value.status) == (id, message, 400)

    play(scene)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({}, "Missing kuid"),
        ({"_id": ""}, "Missing kuid"),
        ({"_id": "nobody"}, "Invalid kuid given"),
        ({"_id": "kuid-bob"}, "Invalid kuid given"),
    ],
)
def test_no_token_for_nobody(play, args, message):
    async def scene(local):
        await local.enroll()
        await local.user("kuid-bob")
        with pytest.raises(errors.VisadoError) as refused:
            await call(local, "getResetPasswordToken", args=args)
        assert (refused.value.status, refused.value.text) == (400, message)

    play(scene)
