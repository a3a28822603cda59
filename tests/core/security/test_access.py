from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from visado.request import Connection

FAR = Connection(loopback=False)


def test_at_first_this_machine_may_do_everything_and_others_log_in(play):
    async def scene(inside):
        assert await inside.error("security:searchUsers", {}) is None
        assert await inside.error("server:now", connection=FAR) == "security.rights.unauthorized"
        response = await inside.ask("security:createFirstAdmin", {}, connection=FAR)
        assert (response.status, response.error.id) == (401, "security.rights.unauthorized")
        assert "visado admin:create" in response.error.text
        assert "open_bootstrap" in response.error.text
        for action, body in [
            ("auth:getCurrentUser", None),
            ("auth:checkToken", {}),
            ("server:publicApi", None),
            ("auth:getMyRights", None),
        ]:
            assert await inside.error(action, body, connection=FAR) is None
        assert await inside.error("auth:login", {}, connection=FAR) == "plugin.strategy.missing_user"

    play(scene)


def test_users_of_the_open_host_are_restricted_from_afar_too_and_administrators_are_not(play):
    async def scene(inside):
        ann, root = await inside.user("ann", "default"), await inside.user("root", "admin")
        assert await inside.error("security:searchUsers", {}, token=ann) is None
        assert await inside.error("security:searchUsers", {}, token=ann, connection=FAR) == "security.rights.forbidden"
        assert await inside.error("security:searchUsers", {}, token=root, connection=FAR) is None

    play(scene)


def test_open_bootstrap_opens_the_host_for_all_until_it_is_closed(play):
    async def scene(inside):
        assert await inside.error("security:searchUsers", {}, connection=FAR) is None
        await inside.result("security:createFirstAdmin", {}, _id="root", reset=True, connection=FAR)
        for where in (FAR, Connection()):
            assert await inside.error("security:searchUsers", {}, connection=where) == "security.rights.unauthorized"

    play(scene, security={"open_bootstrap": True})


def test_of_fifty_first_administrators_one_is_the_first(play):
    async def scene(inside):
        body = {"content": {}, "credentials": {}}
        answers = await asyncio.gather(
            *(inside.ask("security:createFirstAdmin", body, _id=f"admin{n}") for n in range(50))
        )
        assert Counter(each.status for each in answers) == {200: 1, 412: 49}
        assert {each.error.id for each in answers if each.error} == {"api.process.admin_exists"}
        assert len(await inside.rows("users")) == 1

    play(scene)


def test_without_reset_the_host_stays_open_and_with_it_it_closes(play):
    async def scene(inside):
        assert await inside.result("server:adminExists") == {"exists": False}
        await inside.result("security:createFirstAdmin", {}, _id="root")
        assert await inside.result("server:adminExists") == {"exists": True}
        assert await inside.error("security:searchUsers", {}) is None
        assert await inside.error("security:createFirstAdmin", {"content": []}) == "api.process.admin_exists"
        await inside.result("security:restrictDefaultRights")
        assert await inside.error("security:searchUsers", {}) == "security.rights.unauthorized"
        root = await inside.token("root")
        await inside.result("security:deleteUser", _id="root", token=root)
        assert await inside.error("server:adminExists") == "security.rights.unauthorized"

    play(scene)


def test_a_first_administrator_that_cannot_be_made_closes_nothing(play):
    async def scene(inside):
        body = {"content": {}, "credentials": {"local": {"username": "root"}}}
        assert await inside.error("security:createFirstAdmin", body, reset=True) is not None
        assert await inside.rows("users") == {}
        assert await inside.error("security:searchUsers", {}) is None
        for bad in ({"credentials": {"gone": {}}}, {"content": {"profileIds": ["default"]}}):
            assert await inside.error("security:createFirstAdmin", bad, reset=True) is not None
        assert await inside.error("security:searchUsers", {}) is None

    play(scene)


def test_an_administrator_whose_client_goes_away_has_closed_the_host(play):
    """`reset` is one thing with the administrator: there is no moment at which a host has one, and stays open."""

    async def scene(inside):
        for steps in range(1, 40):
            task = asyncio.create_task(inside.ask("security:createFirstAdmin", {}, _id="root", reset=True))
            for _ in range(steps):
                await asyncio.sleep(0.0005)  # subject: a client that goes away at any moment
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if "root" in await inside.rows("users"):
                break
        await inside.host.storage.check()  # whatever was queued is written
        assert "root" in await inside.rows("users")
        assert await inside.error("security:searchUsers", {}) == "security.rights.unauthorized"

    play(scene)


def test_resetting_opens_the_host_again(play):
    async def scene(inside):
        await inside.result("security:createFirstAdmin", {}, _id="root", reset=True)
        root = await inside.token("root")
        await inside.result(
            "security:createRole", {"controllers": {"auth": {"actions": {"*": True}}}}, _id="r", token=root
        )
        await inside.result("security:createProfile", {"policies": [{"roleId": "r"}]}, _id="p", token=root)
        assert await inside.result("admin:resetSecurity", token=root) == {"deletedUsers": 1, "deletedProfiles": 1}
        assert await inside.error("auth:getCurrentUser", token=root) == "security.token.invalid"
        assert await inside.error("security:searchUsers", {}) is None
        assert (
            set(await inside.rows("roles")) == set(await inside.rows("profiles")) == {"admin", "default", "anonymous"}
        )
        assert await inside.result("server:adminExists") == {"exists": False}

    play(scene)


def test_a_live_host_tells_near_from_far(live_open):
    evil = {"headers": {"Origin": "https://evil.example"}}
    for how in (evil, {"headers": {"Host": "evil.example"}}, {"headers": {"X-Forwarded-For": "127.0.0.1"}}):
        answer = live_open.request("POST", "/users/_search", {}, **how)
        assert (answer.status, answer.error_id) == (401, "security.rights.unauthorized")
        assert "visado admin:create" in answer.body["error"]["message"]
        assert live_open.request("GET", "/_me", **how).status == 200
    assert live_open.request("POST", "/users/_search", {}).status == 200
    assert any("NOT SAFE YET: no administrator" in line for line in live_open.report)


@pytest.fixture(scope="module")
def live_open(tmp_path_factory):
    from visado_kit.live import serve

    with serve(tmp_path_factory.mktemp("open")) as host:
        yield host
