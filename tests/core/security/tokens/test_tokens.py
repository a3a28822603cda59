from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from visado.security.tokens.signing import fingerprint

from .issued import INVALID, LOGIN, SECRET, segments, with_ann

REFUSED = "security.token.refresh_forbidden"


def test_a_token_without_row_or_of_another_or_of_nobody_is_refused(play):
    async def scene(inside):
        now = inside.clock.now // 1_000
        for user in ("ann", "root", "nobody", "-1"):
            text = "kauth-" + segments({"alg": "HS256"}, {"_id": user, "iat": now, "jti": user})
            assert await inside.error("auth:getCurrentUser", token=text) == INVALID
        text = await inside.token("ann")
        await inside.host.storage.update("tokens", fingerprint(text), lambda row: {**row, "userId": "root"})
        assert await inside.error("auth:getCurrentUser", token=text) == INVALID
        text = await inside.token("nobody")
        assert await inside.error("auth:getCurrentUser", token=text) == INVALID

    play(with_ann(scene), security={"token": {"secrets": [SECRET]}})


def test_an_empty_token_is_no_anonymous_one(play):
    async def scene(inside):
        assert await inside.error("auth:getCurrentUser", token="") == INVALID
        assert (await inside.result("auth:getCurrentUser"))["_id"] == "-1"
        for body in (None, {}, {"token": ""}):
            assert (await inside.result("auth:checkToken", body))["valid"] is False
        for bad in (None, 1, [], {}):
            assert await inside.error("auth:checkToken", {"token": bad}) == "api.assert.invalid_type"

    play(scene)


@pytest.mark.parametrize("used_before", [True, False])
@pytest.mark.parametrize("ttl", [1, 700, 1_000, 1_500, 3_600_000])
def test_a_token_lives_until_its_end_to_the_millisecond(play, used_before, ttl):
    async def scene(inside):
        inside.clock.now += 123
        issued = await inside.result("auth:login", LOGIN, strategy="local", expiresIn=ttl)
        text, end = issued["jwt"], issued["expiresAt"]
        assert (end, issued["ttl"]) == (inside.clock.now + ttl, ttl)
        if used_before:
            assert await inside.error("auth:getCurrentUser", token=text) is None
        inside.clock.now = end - 1
        assert await inside.error("auth:getCurrentUser", token=text) is None
        assert (await inside.result("auth:checkToken", {"token": text})) == {
            "valid": True,
            "expiresAt": end,
            "kuid": "ann",
        }
        for moment in (end, end + 1, end + 1_000_000):
            inside.clock.now = moment
            response = await inside.ask("auth:getCurrentUser", token=text)
            assert response.error.id == INVALID
            assert "expired" in response.error.text
            assert (await inside.result("auth:checkToken", {"token": text}))["valid"] is False

    play(with_ann(scene))


def test_tokens_of_one_millisecond_differ_and_end_apart(play):
    async def scene(inside):
        texts = [(await inside.result("auth:login", LOGIN))["jwt"] for _ in range(5)]
        texts += [(await inside.result("auth:createToken", token=texts[0]))["token"] for _ in range(20)]
        texts += [(await inside.host.security.tokens.create("ann")).text for _ in range(1_000)]
        assert len(set(texts)) == 1_025
        await inside.result("auth:logout", token=texts[1])
        answers = [await inside.error("auth:getCurrentUser", token=text) for text in texts[:25]]
        assert answers == [None, INVALID] + [None] * 23

    play(with_ann(scene))


def test_tokens_outlive_a_restart_and_revocations_do_too(play, tmp_path):
    async def first(inside):
        alive, dead = await inside.token("ann"), await inside.token("ann")
        assert await inside.error("auth:getCurrentUser", token=dead) is None
        await inside.result("auth:logout", token=dead)
        key = (await inside.result("auth:createApiKey", {"description": ""}, token=alive))["_source"]["token"]
        return alive, dead, key

    alive, dead, key = play(with_ann(first))

    async def second(inside):
        assert [await inside.error("auth:getCurrentUser", token=text) for text in (alive, dead, key)] == [
            None,
            INVALID,
            None,
        ]

    play(second)
    secret = tmp_path / "data" / "secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert len(secret.read_text().strip()) >= 64


def test_a_token_for_one_use_is_used_once_of_a_hundred(play):
    async def scene(inside):
        admin = await inside.token("ann")
        made = await inside.result("auth:createToken", token=admin, singleUse=True)
        assert made["singleUse"] is True
        for _ in range(2):
            assert (await inside.result("auth:checkToken", {"token": made["token"]}))["valid"]
        answers = await asyncio.gather(*(inside.error("server:now", token=made["token"]) for _ in range(100)))
        assert Counter(answers) == {None: 1, INVALID: 99}
        for action, error in [
            ("security:getUser", "api.assert.missing_argument"),
            ("no:where", "api.process.controller_not_found"),
        ]:
            single = (await inside.result("auth:createToken", token=admin, singleUse=True))["token"]
            assert await inside.error(action, token=single) == error
            assert await inside.error("server:now", token=single) == INVALID

    play(with_ann(scene))


@pytest.mark.parametrize(
    ("expires_in", "expected"),
    [
        (-1, "security.token.invalid_expiration"), ("-1", "security.token.invalid_expiration"),
        ("-1ms", "security.token.invalid_expiration"), ("garbage", "api.assert.invalid_argument"), (0, "api.assert.invalid_argument"),
        ("", "api.assert.invalid_argument"), (None, "api.assert.invalid_argument"), (-2, "api.assert.invalid_argument"),
        (True, "api.assert.invalid_argument"), ([], "api.assert.invalid_argument"), (float("inf"), "api.assert.invalid_argument"),
        (3_600_001, "security.token.ttl_exceeded"), ("2h", "security.token.ttl_exceeded"), (3_600_000, None), ("1h", None),
    ],
)  # fmt: skip
def test_lifetimes_that_one_may_ask_for(play, expires_in, expected):
    async def scene(inside):
        admin = await inside.token("ann")
        assert await inside.error("auth:createToken", token=admin, expiresIn=expires_in) == expected
        if expected == "security.token.invalid_expiration":
            expected_else = "security.token.ttl_exceeded"
        else:
            expected_else = expected
        assert await inside.error("auth:refreshToken", token=admin, expiresIn=expires_in) == expected_else
        if expires_in not in (0, "", None):
            assert await inside.error("auth:login", LOGIN, expiresIn=expires_in) == expected_else
            assert await inside.error("auth:login", {**LOGIN, "expiresIn": expires_in}) == expected_else

    play(with_ann(scene), security={"token": {"max_ttl": 3_600_000}})


def test_one_of_fifty_refreshes_wins_and_the_old_token_fades(play):
    async def scene(inside):
        old = (await inside.result("auth:login", LOGIN))["jwt"]
        answers = await asyncio.gather(*(inside.ask("auth:refreshToken", token=old) for _ in range(50)))
        assert Counter(each.error.id if each.error else None for each in answers) == {None: 1, INVALID: 49}
        new = next(each for each in answers if each.error is None).reply.result["jwt"]
        assert new != old
        assert await inside.error("auth:refreshToken", token=old) == INVALID
        inside.clock.now += 999
        assert await inside.error("auth:getCurrentUser", token=old) is None
        inside.clock.now += 1
        for _ in range(2):
            assert await inside.error("auth:getCurrentUser", token=old) == INVALID
        assert await inside.error("auth:getCurrentUser", token=new) is None

    play(with_ann(scene))


def test_grace_never_lengthens_a_life(play):
    async def scene(inside):
        old = (await inside.result("auth:login", LOGIN, expiresIn=500))["jwt"]
        await inside.result("auth:refreshToken", token=old)
        inside.clock.now += 500
        assert await inside.error("auth:getCurrentUser", token=old) == INVALID

    play(with_ann(scene))


def test_what_is_never_refreshed(play):
    async def scene(inside):
        forever = (await inside.result("auth:login", LOGIN, expiresIn=-1))["jwt"]
        key = (await inside.result("auth:createApiKey", {"description": ""}, token=forever, expiresIn="1h"))["_source"][
            "token"
        ]
        for text, prop in [(forever, "Token with infinite TTL"), (key, "API Key")]:
            response = await inside.ask("auth:refreshToken", token=text)
            assert (response.error.id, response.error.props) == (REFUSED, [prop])
            assert text not in json.dumps(response.error.as_dict())
            assert await inside.error("auth:getCurrentUser", token=text) is None
        for strategy in ("local", "gone", forever):
            response = await inside.ask("auth:refreshToken", token=forever, strategy=strategy)
            assert response.status in (400, 401)
        assert await inside.error("auth:refreshToken") == "security.rights.unauthorized"

    play(with_ann(scene))


def test_a_refused_refresh_leaves_the_token_alone(play):
    async def scene(inside):
        old = (await inside.result("auth:login", LOGIN))["jwt"]
        assert await inside.error("auth:refreshToken", token=old, expiresIn="garbage") == "api.assert.invalid_argument"
        inside.clock.now += 5_000
        assert await inside.error("auth:refreshToken", token=old) is None

    play(with_ann(scene))


@pytest.mark.parametrize("how", ["logout", "global", "revoke", "refresh"])
def test_revoked_is_revoked_a_thousand_times(play, how):
    async def scene(inside):
        text, other = await inside.token("ann"), await inside.token("ann")
        assert await inside.error("auth:getCurrentUser", token=text) is None
        if how == "logout":
            assert await inside.result("auth:logout", token=text) == {"acknowledged": True}
        elif how == "global":
            await inside.result("auth:logout", token=text, **{"global": True})
        elif how == "revoke":
            await inside.result("security:revokeTokens", _id="ann", token=other)
        else:
            await inside.result("auth:refreshToken", token=text)
            inside.clock.now += 1_000
        answers = await asyncio.gather(*(inside.error("auth:getCurrentUser", token=text) for _ in range(1_000)))
        assert set(answers) == {INVALID}
        alive = await inside.error("auth:getCurrentUser", token=other) is None
        assert alive is (how in ("logout", "refresh"))
        assert await inside.error("auth:logout", token=text) == INVALID

    play(with_ann(scene))


def test_a_revocation_is_of_one_user_alone(play):
    async def scene(inside):
        names = ["foo", "foo#bar", "foo*", "foo?", "fo", "foo#", "FOO", " foo"]
        texts = {name: await inside.user(name) for name in names}
        for text in texts.values():
            assert await inside.error("auth:getCurrentUser", token=text) is None
        await inside.result("security:revokeTokens", _id="foo", token=await inside.token("ann"))
        answers = {name: await inside.error("auth:getCurrentUser", token=text) for name, text in texts.items()}
        assert answers == {name: INVALID if name == "foo" else None for name in names}
        assert await inside.result("security:revokeTokens", _id="nobody", token=await inside.token("ann")) is None

    play(with_ann(scene))


@pytest.mark.parametrize("how", ["logout", "global", "revoke", "refresh", "deleteUser", "deleteKey"])
@pytest.mark.parametrize("steps", [1, 4])
def test_a_revocation_whose_client_goes_away_is_complete_or_has_not_happened(play, how, steps):
    """A socket that closes cancels its requests: what is on disk then must count in memory, too."""

    async def scene(inside):
        text, admin = await inside.token("ann"), await inside.token("root")
        if how == "deleteKey":
            made = await inside.result("auth:createApiKey", {"description": ""}, token=text, _id="k")
            text = made["_source"]["token"]
        assert await inside.error("auth:getCurrentUser", token=text) is None
        request = {
            "logout": lambda: inside.ask("auth:logout", token=text),
            "global": lambda: inside.ask("auth:logout", token=text, **{"global": True}),
            "revoke": lambda: inside.ask("security:revokeTokens", _id="ann", token=admin),
            "refresh": lambda: inside.ask("auth:refreshToken", token=text),
            "deleteUser": lambda: inside.ask("security:deleteUser", _id="ann", token=admin),
            "deleteKey": lambda: inside.ask("auth:deleteApiKey", _id="k", token=text),
        }[how]
        task = asyncio.create_task(request())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await inside.user("barrier")  # a write behind the one that nobody waits for
        inside.clock.now += 2_000
        before = await inside.error("auth:getCurrentUser", token=text)
        inside.host.security.tokens.verified._by_key.clear()
        inside.host.security.tokens.verified._keys.clear()
        inside.host.security.users._cached.clear()
        after = await inside.error("auth:getCurrentUser", token=text)
        assert before == after

    async def prepared(inside):
        await inside.user("root", "admin")
        return await scene(inside)

    play(with_ann(prepared))


def test_ended_tokens_are_swept(play):
    async def scene(inside):
        for number in range(30):
            await inside.token("ann", 10 if number % 2 else 10_000)
        await inside.token("ann", -1)
        inside.clock.now += 10
        assert await inside.host.security.tokens.purge() == 15
        assert len(await inside.rows("tokens")) == 16

    play(with_ann(scene))


def test_no_token_is_kept_in_clear(play, tmp_path):
    async def scene(inside):
        return [
            (await inside.result("auth:login", LOGIN))["jwt"],
            (await inside.result("auth:createApiKey", {"description": ""}, token=await inside.token("ann")))["_source"][
                "token"
            ],
        ]

    for text in play(with_ann(scene)):
        for file in (tmp_path / "data").rglob("*"):
            if file.is_file():
                assert text.encode() not in file.read_bytes(), file
                assert text.split(".")[2].encode() not in file.read_bytes(), file
