from __future__ import annotations

import asyncio

from visado.strategy import Actor


def test_strategies_that_come_and_go_while_one_is_awaited_do_no_harm(play, scripted):
    slow, gone, late = scripted("slow"), scripted("gone"), scripted("late")
    asked, answer = asyncio.Event(), asyncio.Event()

    async def exists(user_id):
        asked.set()
        await answer.wait()
        return True

    slow.exists = exists

    async def scene(inside):
        security = inside.host.security
        user = await security.users.create({"profileIds": ["default"]}, "ann")
        listing = asyncio.create_task(security.strategy_credentials.strategies_of(user))
        await asked.wait()
        security.strategies.add(late)
        security.strategies.remove("gone")
        answer.set()
        assert await listing == ["slow"]

    play(scene, strategies=[slow, gone])


def test_credentials_of_a_removed_strategy_are_deleted_with_the_user(play, scripted):
    async def scene(inside):
        security = inside.host.security
        await inside.user("ann")
        await security.credentials.link("scripted", "ann@example.com", "ann")
        security.strategies.remove("scripted")
        await security.strategy_credentials.delete_all("ann", Actor("host"))
        assert await security.credentials.get_of_user("scripted", "ann") is None

    play(scene, strategies=[scripted()])
