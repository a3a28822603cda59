"""What is stored of identities, and what their users get."""

from __future__ import annotations

import asyncio

import pytest

from visado import Actor, Fail, Success

from . import hostile
from .in_process import provider, settings, staged

ADMINISTRATOR = Actor("administrator")


@pytest.fixture
def shady():
    made = hostile.Hostile()
    yield made
    made.close()


@pytest.fixture
def play(tmp_path, shady):
    def run(scene, accounts=None, **more):
        async def main():
            given = settings({"shady": provider(shady.issuer, **more)}) | {"accounts": {"shady": accounts or {}}}
            async with staged(tmp_path, given) as stage:
                for name in ("staff", "chief"):
                    await stage.host.security.profiles.create(name, {"policies": [{"roleId": "default"}]})
                return await scene(stage)

        return asyncio.run(main())

    return run


async def log_in(stage, sub="sub-1", **claims):
    return await stage.log_in(lambda nonce: hostile.code(sub, nonce, claims=claims))


async def user_of(stage, outcome):
    assert isinstance(outcome, Success), outcome
    return await stage.host.users.get(outcome.who)


def test_groups_grant_profiles_and_take_back_what_they_granted(play):
    async def scene(stage):
        user = await user_of(stage, await log_in(stage, groups=["chiefs", "others"]))
        assert user.profile_ids == ("default", "chief")
        await stage.host.users.merge(user.id, {"profileIds": ["default", "chief", "staff"]})
        user = await user_of(stage, await log_in(stage, groups=[]))
        assert user.profile_ids == ("default", "staff")  # `staff` is an administrator's
        for groups in ("chiefs", ["chiefs", 7, None], {"chiefs": 1}, 7):
            user = await user_of(stage, await log_in(stage, groups=groups))
            assert ("chief" in user.profile_ids) == (groups in ("chiefs", ["chiefs", 7, None])), groups

    play(scene, group_claim="groups", group_profiles={"chiefs": ["chief"]})


def test_the_settings_of_accounts_win_over_the_providers(play):
    async def scene(stage):
        assert isinstance(await log_in(stage, name="Ann", hd="evil.example"), Fail)
        user = await user_of(stage, await log_in(stage, name="Ann", hd="example.com"))
        assert user.profile_ids == ("staff",)
        assert user.content == {"profileIds": ["staff"], "shown": "Ann"} | _metadata(user)

    accounts = {
        "auto_create": True,
        "profiles": ["staff"],
        "content": {"shown": "name"},
        "require": {"hd": ["example.com"]},
    }
    play(scene, accounts, auto_create=False, default_profiles=["chief"])


def _metadata(user):
    return {name: value for name, value in user.content.items() if name.startswith("_")}


def test_an_identity_without_a_user_looks_like_a_wrong_code(play):
    async def scene(stage):
        unknown = await log_in(stage, "nobody")
        back, cookie = await stage.back(lambda _: "not-a-code")
        assert unknown == await stage.ask(back, cookie=cookie)
        assert unknown == await stage.ask({**back, "state": "of somebody else"}, cookie=cookie)
        assert isinstance(unknown, Fail)

    play(scene, auto_create=False)


def test_no_claim_is_copied_into_a_user_unless_the_settings_say_so(play):
    async def scene(stage):
        user = await user_of(stage, await log_in(stage, name="Ann", profileIds=["chief"]))
        assert {*user.content} - {*_metadata(user)} == {"profileIds"}
        assert user.profile_ids == ("default",)

    play(scene)


def test_claims_are_stored_at_each_login_and_attributes_of_administrators_stay(play):
    async def scene(stage):
        user = await stage.host.users.create({"profileIds": ["default"]}, "ann")
        strategy = stage.strategy()
        shown = await strategy.create(user.id, {"sub": "sub-1", "desk": "7", "name": "Anna"}, ADMINISTRATOR)
        assert shown["name"] == "Anna"
        assert (await log_in(stage, name="Ann")).who == "ann"
        assert await strategy.info("ann") == {"sub": "sub-1", "iss": shown["iss"], "desk": "7", "name": "Ann"}
        shown = await strategy.update("ann", {"name": "Annette"}, ADMINISTRATOR)
        assert shown["name"] == "Annette"
        await log_in(stage, name="Ann")
        assert (await strategy.info("ann"))["name"] == "Ann"
        shown = await strategy.update("ann", {"sub": "sub-2"}, ADMINISTRATOR)
        assert shown == {"sub": "sub-2", "iss": shown["iss"], "desk": "7", "name": "Annette"}
        assert isinstance(await log_in(stage), Fail)
        assert (await log_in(stage, "sub-2")).who == "ann"

    play(scene, persist=["name"], auto_create=False)


def test_a_claim_that_is_not_unicode_is_no_error_of_the_host(play):
    async def scene(stage):
        assert isinstance(await log_in(stage, name="\ud800"), Fail)
        assert isinstance(await log_in(stage, more={"deep": ["\udfff"]}), Fail)
        assert isinstance(await log_in(stage, amr=["\ud800", "pwd"]), (Success, Fail))

    play(scene, persist=["name"])


def test_a_provider_has_a_title_and_an_icon_for_login_pages(play):
    async def scene(stage):
        forms = (await stage.host.run("auth:getLoginForms")).reply.result
        assert [each for each in forms if each["strategy"] == "shady"] == [
            {"strategy": "shady", "title": "Shady & Co", "icon": "https://shady.example/icon.svg", "form": None}
        ]

    play(scene, title="Shady & Co", icon="https://shady.example/icon.svg")
