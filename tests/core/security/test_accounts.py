from __future__ import annotations

import asyncio

import pytest

from visado import errors

GIVEN = {
    "one": {"word": "a"},
    "two": {"word": "b"},
    "local": {"username": "ann", "password": "password"},
    "three": {"word": "c"},
}
FAULTS = [
    errors.CredentialsRejected(reason="no"),
    RuntimeError("canary"),
    SystemExit(3),
    RecursionError(),
    asyncio.CancelledError(),
]


def kept(strategies):
    return {each.name: dict(each.kept) for each in strategies if each.kept}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("step", ["validate", "create", "created"])
@pytest.mark.parametrize("where", [0, 1, 2])
def test_a_fault_at_any_step_leaves_nothing_behind(play, scripted, where, step, fault):
    strategies = [scripted("one"), scripted("two"), scripted("three")]

    async def scene(inside):
        strategies[where].faults[step] = fault
        body = {"content": {"profileIds": ["default"]}, "credentials": GIVEN}
        task = asyncio.create_task(inside.ask("security:createUser", body, _id="ann"))
        (response,) = await asyncio.gather(task, return_exceptions=True)
        assert not isinstance(response, BaseException), f"{response!r} instead of an answer"
        assert response.error is not None
        expected = (
            "security.credentials.rejected"
            if isinstance(fault, errors.VisadoError)
            else "plugin.runtime.unexpected_error"
        )
        assert response.error.id == expected
        assert "canary" not in response.error.text
        assert await inside.rows("users") == {}
        assert await inside.rows("credentials-local") == {}
        assert kept(strategies) == {}
        assert await inside.error("security:getUser", _id="ann") == "security.user.not_found"
        strategies[where].faults.clear()
        assert await inside.error("security:createUser", body, _id="ann") is None
        assert len(kept(strategies)) == 3

    play(scene, strategies=strategies)


def test_many_faults_in_a_row_leave_nothing_behind(play, scripted):
    strategies = [scripted("one"), scripted("two"), scripted("three")]

    async def scene(inside):
        body = {
            "content": {"profileIds": ["default"]},
            "credentials": {name: GIVEN[name] for name in ("one", "two", "three")},
        }
        for number in range(200):
            strategy = strategies[number % 3]
            strategy.faults["create"] = RuntimeError("no")
            assert await inside.error("security:createUser", body) == "plugin.runtime.unexpected_error"
            strategy.faults.clear()
        assert (await inside.rows("users"), kept(strategies)) == ({}, {})

    play(scene, strategies=strategies)


def test_a_storage_that_fails_at_the_end_leaves_nothing_behind(play, scripted, monkeypatch):
    strategies = [scripted("one")]

    async def scene(inside):
        journal = inside.host.storage.inner._commits._journal

        def full(*_):
            raise OSError(28, "No space left on device")

        body = {"content": {"profileIds": ["default"]}, "credentials": {name: GIVEN[name] for name in ("one", "local")}}
        with monkeypatch.context() as broken:
            broken.setattr(journal, "append", full)
            response = await inside.ask("security:createUser", body, _id="ann")
            assert response.status in (500, 503)
        assert kept(strategies) == {}
        assert await inside.rows("users") == {}
        assert await inside.error("security:createUser", body, _id="ann") is None

    play(scene, strategies=strategies)


def test_an_unknown_strategy_is_found_before_anything_is_made(play, scripted):
    strategy = scripted("one")

    async def scene(inside):
        body = {"content": {"profileIds": ["default"]}, "credentials": {"one": {}, "gone": {}}}
        assert await inside.error("security:createUser", body) == "security.credentials.unknown_strategy"
        assert (await inside.rows("users"), strategy.kept) == ({}, {})

    play(scene, strategies=[strategy])


def test_a_strategy_that_does_not_let_go_keeps_the_user(play, scripted):
    strategy = scripted("one")

    async def scene(inside):
        body = {"content": {"profileIds": ["default"]}, "credentials": {"one": {"word": "a"}, "local": GIVEN["local"]}}
        await inside.result("security:createUser", body, _id="ann")
        token = await inside.token("ann")
        for step in ("exists", "delete"):
            strategy.faults[step] = RuntimeError("canary")
            response = await inside.ask("security:deleteUser", _id="ann")
            assert (response.error.id, response.status) == ("security.credentials.rejected", 400)
            assert "canary" not in response.error.text
            assert await inside.error("auth:getCurrentUser", token=token) is None
            assert await inside.error("auth:login", GIVEN["local"]) is None
            strategy.faults.clear()
        await inside.result("security:deleteUser", _id="ann")
        assert strategy.kept == {}
        assert await inside.error("auth:getCurrentUser", token=token) == "security.token.invalid"

    play(scene, strategies=[strategy])


def test_credentials_that_are_no_object_are_refused(play, scripted):
    strategy = scripted("one")

    async def scene(inside):
        for bad in (None, "x", 1, [], ["word"], True):
            body = {"content": {"profileIds": ["default"]}, "credentials": {"one": bad}}
            response = await inside.ask("security:createUser", body)
            assert response.status == 400, bad
        assert (await inside.rows("users"), strategy.kept) == ({}, {})

    play(scene, strategies=[strategy])
