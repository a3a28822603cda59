from __future__ import annotations

import pytest

from tests.waiting import until_async
from visado import Fail, Success, errors
from visado.request import Request
from visado_ldap.errors import DirectoryUnreachable

from . import slapd
from .conftest import settings_of
from .slapd import password_of, user_dn


async def alive(each, token):
    try:
        await each.host.security.access.verify(token.text)
    except errors.InvalidToken:
        return False
    return True


@pytest.mark.parametrize("how", ["deleted", "moved away", "locked for ever", "filtered out"])
def test_tokens_of_a_missing_entry_are_revoked(play, own_directory, how):
    away = {
        "deleted": lambda: own_directory.delete(user_dn(1)),
        "moved away": lambda: own_directory.rename(user_dn(1), "uid=user1", f"ou=elsewhere,{slapd.SUFFIX}"),
        "locked for ever": lambda: own_directory.set(user_dn(1), "pwdAccountLockedTime", "000001010000Z"),
        "filtered out": lambda: own_directory.set(user_dn(1), "employeeType", "left"),
    }

    async def scene(each):
        for number in (1, 2):
            await each.link(f"kuid-{number}", username=f"user{number}")
        tokens = [await each.host.security.tokens.create(f"kuid-{number}") for number in (1, 2)]
        await each.strategy.recheck.round()
        assert [await alive(each, token) for token in tokens] == [True, True]
        away[how]()
        await each.strategy.recheck.round()
        assert [await alive(each, token) for token in tokens] == [False, True]
        assert await each.login("user1", password_of(1)) == Fail("wrong username or password")
        later = await each.host.security.tokens.create("kuid-1")  # by another strategy
        await each.strategy.recheck.round()
        assert await alive(each, later)

    play(scene, settings_of(own_directory, search_filter="(&(uid={username})(!(employeeType=left)))"))


def test_an_entry_that_returns_is_checked_again(play, own_directory):
    async def scene(each):
        await each.link("kuid-1", username="user1")
        own_directory.rename(user_dn(1), "uid=user1", f"ou=elsewhere,{slapd.SUFFIX}")
        await each.strategy.recheck.round()
        assert (await each.row("kuid-1"))["gone"] is True
        own_directory.rename(f"uid=user1,ou=elsewhere,{slapd.SUFFIX}", "uid=user1")
        assert await each.login("user1", password_of(1)) == Success("kuid-1")
        token = await each.host.security.tokens.create("kuid-1")
        own_directory.delete(user_dn(1))
        await each.strategy.recheck.round()
        assert not await alive(each, token)

    play(scene, settings_of(own_directory))


def test_with_a_template_entries_are_read_by_dn(play, own_directory):
    async def scene(each):
        first = await each.login("user1", password_of(1))
        token = await each.host.security.tokens.create(first.who)
        await each.strategy.recheck.round()
        assert await alive(each, token)
        own_directory.delete(user_dn(1))
        await each.strategy.recheck.round()
        assert not await alive(each, token)

    template = {"user_dn_template": "uid={username},ou=people,dc=example,dc=org", "search_base": ""}
    play(scene, settings_of(own_directory, auto_create=True, **template))


def test_an_unreachable_directory_changes_nothing(play, own_directory):
    async def scene(each):
        await each.link("kuid-1", username="user1")
        token = await each.host.security.tokens.create("kuid-1")
        own_directory.stop()
        with pytest.raises(DirectoryUnreachable):
            await each.strategy.recheck.round()
        assert await alive(each, token)
        assert not (await each.row("kuid-1")).get("gone")

    play(scene, settings_of(own_directory))


def test_tokens_of_an_entry_that_lacks_what_is_required_are_revoked(play, own_directory):
    async def scene(each):
        own_directory.set(user_dn(1), "employeeType", "staff")
        user_id = (await each.login("user1", password_of(1))).who
        token = await each.host.security.tokens.create(user_id)
        request = Request("1", "auth", "refreshToken", {}, user=await each.host.users.get(user_id))
        await each.strategy.recheck.round()
        assert await alive(each, token)
        assert await each.strategy.refresh(request, {}) == {}
        own_directory.set(user_dn(1), "employeeType", "left")
        with pytest.raises(errors.RefreshForbidden):
            await each.strategy.refresh(request, {})
        assert not await alive(each, token)
        own_directory.set(user_dn(1), "employeeType", "staff")
        assert (await each.login("user1", password_of(1))).who == user_id
        token = await each.host.security.tokens.create(user_id)
        own_directory.set(user_dn(1), "employeeType", "left")
        await each.strategy.recheck.round()
        assert not await alive(each, token)

    given = settings_of(own_directory, auto_create=True, attributes={"kind": "employeeType"})
    play(scene, given, accounts={"ldap": {"require": {"kind": ["staff"]}}})


def test_rounds_run_in_the_background(play, own_directory):
    async def scene(each):
        await each.link("kuid-1", username="user1")
        token = await each.host.security.tokens.create("kuid-1")
        own_directory.delete(user_dn(1))

        async def is_gone():
            return not await alive(each, token)

        await until_async(is_gone, why="nobody looked")

    play(scene, settings_of(own_directory, refresh_interval="500ms"))


def test_many_users_take_few_searches(play, directory):
    async def scene(each):
        for number in range(55):
            await each.link(f"kuid-{number}", username=f"user{number}")
        before = directory.log.count(" SRCH base=")
        await each.strategy.recheck.round()
        assert directory.log.count(" SRCH base=") - before <= 10
        rows = [await each.row(f"kuid-{number}") for number in range(55)]
        assert not any(row.get("gone") for row in rows)

    play(scene, settings_of(directory))


def test_a_token_can_be_refreshed_while_its_entry_exists(play, own_directory):
    async def scene(each):
        await each.link("kuid-1", username="user1")
        request = Request("1", "auth", "refreshToken", {}, user=await each.host.security.users.get("kuid-1"))
        assert await each.strategy.refresh(request, {}) == {}
        own_directory.delete(user_dn(1))
        with pytest.raises(errors.RefreshForbidden):
            await each.strategy.refresh(request, {})

    play(scene, settings_of(own_directory))
