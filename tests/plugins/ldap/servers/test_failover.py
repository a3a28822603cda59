from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest

from tests.waiting import until_async
from visado import Success
from visado_ldap.errors import DirectoryUnreachable

from .. import faulty_servers, slapd
from ..conftest import settings_of
from ..slapd import password_of


@pytest.fixture
def second(tls, tmp_path, directory):
    server = slapd.Slapd(tmp_path / "second", tls).start()
    yield server
    server.stop()


async def login(each, number=1):
    start = time.monotonic()
    outcome = await each.login(f"user{number}", password_of(number))
    return outcome, time.monotonic() - start


def both(first, second):
    """Two servers with the same people under different stable ids."""
    given = settings_of(second, auto_create=True, timeout=1, connect_timeout=1)
    return given | {"url": [first, second.url]}


@pytest.mark.parametrize(
    "kind", [faulty_servers.Silent, faulty_servers.Slow, faulty_servers.Closing, faulty_servers.BlackHole]
)
def test_the_next_server_is_used(play, directory, kind):
    with kind() as sick:

        async def scene(each):
            outcome, seconds = await login(each)
            assert isinstance(outcome, Success)
            assert seconds <= 2
            for _ in range(3):
                again, seconds = await login(each)
                assert again == outcome
                assert seconds <= 0.9  # the first server is paused: it would cost its time-out of a second
            found = await asyncio.gather(*(login(each, number) for number in range(50)))
            assert all(isinstance(each, Success) for each, _ in found)

        play(scene, both(sick.url, directory))


def test_a_refused_connection_costs_no_time(play, directory):
    async def scene(each):
        outcome, seconds = await login(each)
        assert isinstance(outcome, Success)
        assert seconds <= 0.9  # a time-out is a second

    play(scene, both("ldap://127.0.0.1:1", directory))


def test_a_server_that_stops_is_replaced_and_used_again(play, directory, second, caplog):
    given = settings_of(second, auto_create=True, timeout=1)
    given["url"] = [second.url, directory.url]

    async def scene(each):
        async def is_back():
            return (await login(each))[0] == first

        first, _ = await login(each)
        second.freeze()
        other, seconds = await login(each)
        assert isinstance(other, Success)
        assert seconds <= 2
        second.thaw()
        await until_async(is_back)  # of the first server: another stable id, another user
        second.stop()
        assert (await login(each))[0] == other
        second.start()
        await until_async(is_back)

    play(scene, given)
    assert "responds again" in caplog.text


def test_a_single_server_is_used_again_without_a_restart(play, own_directory):
    async def scene(each):
        await each.link("kuid-1", username="user1")
        assert (await login(each))[0] == Success("kuid-1")
        own_directory.stop()
        for _ in range(3):
            with pytest.raises(DirectoryUnreachable):
                await login(each)
        own_directory.start()

        async def is_back():
            with suppress(DirectoryUnreachable):
                return (await login(each))[0] == Success("kuid-1")

        await until_async(is_back, why="the server is back, and nobody asks it")

    play(scene, settings_of(own_directory))


def test_broken_connections_are_replaced(play, own_directory):
    async def scene(each):
        await each.link("kuid-1", username="user1")
        await asyncio.gather(*(login(each) for _ in range(20)))
        own_directory.stop()
        own_directory.start()
        found = await asyncio.gather(*(login(each) for _ in range(20)))
        assert [outcome for outcome, _ in found] == [Success("kuid-1")] * 20

    play(scene, settings_of(own_directory))


def test_a_refused_account_is_not_bound_repeatedly(play, own_directory, caplog):
    async def scene(each):
        for _ in range(10):
            with pytest.raises(DirectoryUnreachable):
                await each.login("user1", password_of(1))
        binds = [line for line in own_directory.log.splitlines() if f'BIND dn="{slapd.SERVICE}"' in line]
        assert len(binds) == 1

    play(scene, settings_of(own_directory, bind_password="not-it"))
    assert "is refused" in caplog.text
    assert "not-it" not in caplog.text
