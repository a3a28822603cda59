from __future__ import annotations

import random
import string
import time
from importlib.resources import files

import pytest

from visado import Actor, errors
from visado.request import Request
from visado_local.common_passwords import common_passwords, is_common
from visado_local.errors import CurrentPasswordRequired, CurrentPasswordWrong

GOOD = "a long enough phrase"
NEW = "another long phrase"


async def validate(local, password, username="melis"):
    await local.strategy.validate("kuid-x", {"username": username, "password": password}, Actor("host"), update=False)


def test_passwords_have_fifteen_characters(play):
    async def scene(local):
        letters = "".join(random.Random(7).choices(string.ascii_lowercase, k=20))
        for password in (letters, "abcdefghijklmnopqrst", "q w e r t y u i", "🦊🐢🐝🦊🦊🐢🐝🐝🦊🐢🐢🐝🦊🐝🐢"):
            await validate(local, password)
        with pytest.raises(errors.CredentialsRejected) as refused:
            await validate(local, "fourteen chars")
        assert (refused.value.status, refused.value.id) == (400, "security.credentials.rejected")

    play(scene, preset="strict")


def test_the_minimum_can_be_eight(play):
    async def scene(local):
        await validate(local, "e1ght, or")
        with pytest.raises(errors.CredentialsRejected):
            await validate(local, "sev-en!")

    play(scene, preset="strict", minimum_length=8)


def test_the_compatible_preset_takes_what_the_reference_takes(play):
    async def scene(local):
        user_id = await local.enroll("melis", "password")
        assert await local.login("melis", "password") == local.success(user_id)
        local.ask(user_id, {"password": "x"})
        await local.change(user_id, password="x")

    play(scene)


def test_common_passwords_are_refused(play):
    async def scene(local):
        listed = sorted(each for each in common_passwords() if len(each) >= 8)
        assert len(listed) > 10_000
        sample = [*random.Random(7).sample(listed, 2_900), *(each for each in listed if len(each) >= 15)]
        start = time.process_time()
        for password in [*sample, *(each.upper() for each in sample[:50])]:
            with pytest.raises(errors.CredentialsRejected):
                await validate(local, password)
        assert time.process_time() - start < 5

    play(scene, preset="strict", minimum_length=8)


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword",
        "password1234567890",
        "aaaaaaaaaaaaaaaaaaaa",
        "abababababababababa",
        "qwertyuiop123456789",
        "a-fine-username",
        "A-FINE-USERNAME",
        "a-fine-username-1",
        "visadovisadovisado",
        "visado-visado-1",
        "kuid-x-kuid-x-kuid-x",
    ],
)
def test_easy_guesses_are_refused(play, password):
    async def scene(local):
        with pytest.raises(errors.CredentialsRejected):
            await validate(local, password, username="a-fine-username")

    play(scene, preset="strict")


@pytest.mark.parametrize("password", ["melis likes long walks", "visado is what I log in to", "ab" * 3 + "cdefghijkl"])
def test_a_name_in_a_phrase_is_no_easy_guess(password):
    assert not is_common(password, ("melis", "visado", "", "x"))


def test_the_list_is_in_small_letters():
    assert all(each == each.casefold() for each in common_passwords())


def test_users_prove_that_they_know_their_password(play):
    async def scene(local):
        user_id = await local.enroll()
        local.ask(user_id, {"password": NEW})
        with pytest.raises(CurrentPasswordRequired) as refused:
            await local.change(user_id, password=NEW)
        assert (refused.value.status, refused.value.text) == (
            400,
            "Cannot update credentials: password required.",
        )
        for wrong in ("wrong", 42, ["x"], {"a": 1}, GOOD + " "):
            local.ask(user_id, {"password": NEW, "currentPassword": wrong})
            with pytest.raises(CurrentPasswordWrong) as refused:
                await local.change(user_id, password=NEW)
            assert (refused.value.status, refused.value.text) == (403, "Invalid user or password.")
            with pytest.raises(CurrentPasswordWrong):
                await local.delete(user_id)
        local.ask(user_id, {"password": NEW, "currentPassword": GOOD})
        assert await local.change(user_id, password=NEW, currentPassword=GOOD) == {
            "username": "ann",
            "kuid": user_id,
        }
        local.ask(user_id)
        with pytest.raises(CurrentPasswordRequired):
            await local.delete(user_id)
        local.ask(user_id, {"currentPassword": NEW})
        await local.delete(user_id)

    play(scene, preset="strict")


def test_administrators_need_not(play):
    async def scene(local):
        user_id = await local.enroll()
        local.ask("kuid-admin", {"password": NEW})
        await local.change(user_id, password=NEW)
        await local.delete(user_id)

    play(scene, preset="strict")


def test_require_password_without_the_preset(play):
    async def scene(local):
        user_id = await local.enroll(password="short")
        local.ask(user_id)
        with pytest.raises(CurrentPasswordRequired):
            await local.change(user_id, username="anne")
        local.ask(user_id, args={"password": "short"}, textual=True)
        with pytest.raises(CurrentPasswordRequired):
            await local.change(user_id, username="anne")
        local.ask(user_id, args={"password": "short"})
        assert await local.change(user_id, username="anne") == {"username": "anne"}

    play(scene, require_password=True)


@pytest.mark.parametrize("controller", ["auth", "security", "my-plugin/profile"])
def test_owners_prove_it_whichever_action_they_call(play, controller):
    async def scene(local):
        user_id = await local.enroll(password="short")
        user = local.ask(user_id).user
        without = Actor("owner", Request("1", controller, "rename", {}, {}, user=user))
        for by in (without, Actor("owner"), Actor("stranger", without.request)):
            with pytest.raises(CurrentPasswordRequired):
                await local.strategy.update(user_id, {"password": NEW}, by)
            with pytest.raises(CurrentPasswordRequired):
                await local.strategy.delete(user_id, by)
        body = {"currentPassword": "short"}
        proven = Actor("owner", Request("1", controller, "rename", {}, body, user=user))
        await local.strategy.update(user_id, {"password": NEW}, proven)
        for kind in ("administrator", "host"):
            await local.strategy.update(user_id, {"password": f"{NEW} {kind}"}, Actor(kind, without.request))
        assert await local.login(password=f"{NEW} host") == local.success(user_id)

    play(scene, require_password=True)


async def sessions(local, user_id, count=3):
    user = await local.host.security.users.get(user_id)
    texts = [(await local.host.security.tokens.create(user.id)).text for _ in range(count)]
    return {text: (await local.host.security.tokens.verify(text)).id for text in texts}


async def alive(local, texts):
    found = []
    for text in texts:
        try:
            await local.host.security.tokens.verify(text)
        except errors.InvalidToken:
            continue
        found.append(text)
    return found


@pytest.mark.parametrize("change", ["update", "delete", "reset", "by an administrator"])
def test_a_change_ends_the_other_sessions(play, change):
    async def scene(local):
        user_id, other = await local.enroll(), await local.enroll("bob")
        texts, others = await sessions(local, user_id), await sessions(local, other)
        own = list(texts)[1]
        local.ask(user_id, {"currentPassword": GOOD}, token=texts[own])
        if change == "update":
            await local.change(user_id, password=NEW)
        elif change == "delete":
            await local.delete(user_id)
        elif change == "reset":
            local.ask()
            await local.strategy.reset_password(await local.strategy.reset_token(user_id), NEW)
        else:
            local.ask("kuid-admin", token="row")
            await local.change(user_id, password=NEW)
        assert await alive(local, texts) == ([own] if change in {"update", "delete"} else [])
        assert await alive(local, others) == list(others)

    play(scene, preset="strict")


def test_the_compatible_preset_leaves_sessions_alone(play):
    async def scene(local):
        user_id = await local.enroll()
        texts = await sessions(local, user_id)
        await local.change(user_id, password=NEW)
        await local.delete(user_id)
        assert await alive(local, texts) == list(texts)

    play(scene)


def test_the_list_is_packed_and_sourced():
    folder = files("visado_local")
    assert len(folder.joinpath("common-passwords.txt.gz").read_bytes()) < 150_000
    assert "Django" in folder.joinpath("NOTICE").read_text()
