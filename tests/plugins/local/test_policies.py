from __future__ import annotations

import time

import pytest

from visado import Actor, errors
from visado.settings import loading
from visado_local.errors import (
    ExpiredPassword,
    LoginInPassword,
    MustChangePassword,
    ReusedPassword,
    WeakPassword,
)
from visado_local.settings import LocalSection

DAY = 86_400_000
WIRE = "plugin.kuzzle-plugin-auth-passport-local."


def everyone(**rules):
    return [{"applies_to": "*", **rules}]


def test_login_in_password(play):
    async def scene(local):
        with pytest.raises(LoginInPassword) as refused:
            await local.enroll("Ann", "my name is aNN too")
        assert refused.value.as_dict()["id"] == f"{WIRE}login_in_password"
        assert refused.value.status == 400
        user_id = await local.enroll("bob", "no name in it")
        with pytest.raises(LoginInPassword):
            await local.change(user_id, username="robert", password="robert's password")
        await local.change(user_id, username="robert", password="bob's password")

    play(scene, password_policies=everyone(forbid_login_in_password=True))


@pytest.mark.parametrize(
    ("pattern", "good", "weak"),
    [
        ("^.{8,}$", "eight or more", "short"),
        ("/^[A-Z]+$/i", "letters", "letters1"),
        (r"/^(?=.*\d)(?=.*[a-z]).+$/", "abc1", "abc"),
        ("/a.c/s", "a\nc", "ac"),
        (r"/\p{Lu}/u", "É", "é"),
    ],
)
def test_password_regex(play, pattern, good, weak):
    async def scene(local):
        user_id = await local.enroll(password=good)
        with pytest.raises(WeakPassword) as refused:
            await local.change(user_id, password=weak)
        assert (refused.value.id, refused.value.status) == (f"{WIRE}weak_password", 400)

    play(scene, password_policies=everyone(password_regex=pattern))


def test_a_pattern_has_little_time(play):
    async def scene(local):
        start = time.process_time()
        with pytest.raises(WeakPassword):
            await local.enroll(password="a" * 40 + "!")
        assert time.process_time() - start < 1

    play(scene, password_policies=everyone(password_regex="^(a|a)*(a|aa)+$"))


def test_the_last_passwords_are_not_used_again(play):
    async def scene(local):
        user_id = await local.enroll(password="first")
        for password in ("first",):
            with pytest.raises(ReusedPassword) as refused:
                await local.change(user_id, password=password)
        assert (refused.value.id, refused.value.status) == (f"{WIRE}reused_password", 400)
        await local.change(user_id, password="second")
        await local.change(user_id, password="third")
        for password in ("first", "second", "third"):
            with pytest.raises(ReusedPassword):
                await local.change(user_id, password=password)
        await local.change(user_id, password="fourth")
        await local.change(user_id, password="first")
        assert len((await local.row(user_id))["former"]) == 2

    play(scene, password_policies=everyone(forbid_reused_password_count=3))


def test_nothing_is_remembered_without_need(play):
    async def scene(local):
        user_id = await local.enroll(password="first")
        await local.change(user_id, password="second")
        assert (await local.row(user_id))["former"] == []

    play(scene)


def test_an_expired_password_opens_only_the_reset(play):
    async def scene(local):
        user_id = await local.enroll()
        local.now += 30 * DAY - 1
        assert await local.login() == local.success(user_id)
        local.now += 1
        with pytest.raises(ExpiredPassword) as refused:
            await local.login()
        assert (await local.login(password="wrong")).reason == "wrong username or password"
        shown = refused.value.as_dict()
        assert (shown["id"], shown["status"], shown["message"]) == (
            f"{WIRE}expired_password",
            401,
            "Expired password",
        )
        token = shown["resetToken"]
        assert token not in repr(refused.value)
        assert token not in str(refused.value)
        assert await local.strategy.reset_password(token, "a fresh one") == user_id
        assert await local.login(password="a fresh one") == local.success(user_id)

    play(scene, password_policies=everyone(expires_after="30 days"))


def test_a_new_name_does_not_make_the_password_younger(play):
    async def scene(local):
        user_id = await local.enroll()
        local.now += 31 * DAY
        await local.change(user_id, username="anne")
        with pytest.raises(ExpiredPassword):
            await local.login("anne")

    play(scene, password_policies=everyone(expires_after="30d"))


def test_a_password_set_by_somebody_else_must_be_changed(play):
    async def scene(local):
        user_id = await local.enroll(by="kuid-admin")
        with pytest.raises(MustChangePassword) as refused:
            await local.login()
        assert (refused.value.id, refused.value.status) == (f"{WIRE}must_change_password", 401)
        assert refused.value.text == "Password change required"
        local.ask()
        await local.strategy.reset_password(refused.value.as_dict()["resetToken"], "my own")
        assert await local.login(password="my own") == local.success(user_id)
        local.ask("kuid-admin")
        await local.change(user_id, password="not my own")
        with pytest.raises(MustChangePassword):
            await local.login(password="not my own")
        local.ask(user_id)
        await local.change(user_id, password="my own again")
        assert await local.login(password="my own again") == local.success(user_id)

    play(scene, password_policies=everyone(must_change_password_if_set_by_admin=True))


def test_administrators_need_not_change_what_others_set(play):
    async def scene(local):
        user_id = await local.enroll(profiles=["admin"], by="kuid-somebody")
        assert await local.login() == local.success(user_id)

    play(scene, password_policies=everyone(must_change_password_if_set_by_admin=True))


@pytest.mark.parametrize(
    ("whom", "bound"),
    [
        ("*", True),
        ({"users": ["kuid-ann"]}, True),
        ({"users": ["kuid-bob"]}, False),
        ({"profiles": ["default", "other"]}, True),
        ({"profiles": ["admin"]}, False),
        ({"roles": ["default"]}, True),
        ({"roles": ["admin"]}, False),
        ({"users": ["kuid-bob"], "roles": ["default"]}, True),
    ],
)
def test_applies_to(play, whom, bound):
    async def scene(local):
        if bound:
            with pytest.raises(WeakPassword):
                await local.enroll(password="weak")
        else:
            await local.enroll(password="weak")

    play(scene, password_policies=[{"applies_to": whom, "password_regex": "^.{8,}$"}])


def test_every_policy_that_applies_counts(play):
    async def scene(local):
        for password in ("short", "no digit in it"):
            with pytest.raises(WeakPassword):
                await local.strategy.validate(
                    "kuid-x", {"username": "x", "password": password}, Actor("host"), update=False
                )
        await local.enroll(password="long enough, with 1 digit")

    play(scene, password_policies=[*everyone(password_regex="^.{8,}$"), *everyone(password_regex=r"\d")])


def test_policies_are_content_with_a_change_of_name(play):
    async def scene(local):
        user_id = await local.enroll(password="12345678")
        assert await local.change(user_id, username="anne") == {"username": "anne"}

    play(scene, password_policies=everyone(password_regex="^.{8,}$", forbid_reused_password_count=2))


BAD = {
    "password_policies.0.password_regex": everyone(password_regex="(unclosed"),
    "password_policies.1.password_regex": [*everyone(), *everyone(password_regex="/fine/q")],
    "password_policies.0.applies_to": [{"applies_to": "somebody"}],
    "password_policies.0.applies_to.": [{"applies_to": {}}],
    "password_policies.0.expires_after": everyone(expires_after="soon"),
    "password_policies.0.forbid_reused_password_count": everyone(forbid_reused_password_count=-1),
    "password_policies.0.expires_ever": everyone(expires_ever=1),
}


@pytest.mark.parametrize("path", BAD)
def test_bad_policies_are_refused_with_their_path(path):
    with pytest.raises(loading.SettingsError) as refused:
        loading.load([LocalSection], given={"local": {"password_policies": BAD[path]}})
    assert f"local.{path}" in str(refused.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("memory", 1024),
        ("memory", 4_194_304),
        ("iterations", 0),
        ("parallelism", 255),
        ("minimum_length", 7),
        ("reset_password_expires_in", "2h"),
        ("reset_password_expires_in", -1),
        ("reset_password_expires_in", "soon"),
        ("algorithm", "sha512"),
    ],
)
def test_bad_settings_are_refused_with_their_path(key, value):
    with pytest.raises(loading.SettingsError, match=rf"local\.{key}: "):
        loading.load([LocalSection], given={"local": {key: value}})


def test_hashing_is_never_cheaper_than_owasp_says():
    with pytest.raises(loading.SettingsError, match=r"local: .*35840"):
        loading.load([LocalSection], given={"local": {"memory": 7168, "iterations": 1}})


def test_settings_are_taken_in_either_spelling():
    policy = {"appliesTo": {"users": ["x"]}, "expiresAfter": "1 week", "forbidReusedPasswordCount": 2}
    given = {"requirePassword": True, "resetPasswordExpiresIn": "30m", "passwordPolicies": [policy]}
    section = loading.load([LocalSection], given={"local": given})[LocalSection]
    assert section.require_password
    assert section.reset_password_expires_in == 1_800_000
    assert section.password_policies[0].expires_after == 7 * DAY


def test_defaults():
    section = loading.load([LocalSection])[LocalSection]
    assert (section.memory, section.iterations, section.parallelism) == (19_456, 2, 1)
    assert section.reset_password_expires_in == 3_600_000
    assert not section.require_password
    assert errors.CATALOGUE[f"{WIRE}weak_password"].code == 67108871
