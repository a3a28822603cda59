"""Directories that are added while the host runs, with a real slapd and with faulty servers."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from pathlib import Path

import pytest

from tests.waiting import until_async
from visado import Success, errors
from visado.events import Observer, TokensRevoked
from visado_kit.live import serve
from visado_ldap.errors import DirectoryUnreachable

from . import faulty_servers, slapd
from .conftest import playing, settings_of
from .slapd import password_of, user_dn


def add(host, name, token=None, **settings):
    return host.query(
        "security:createStrategy", token=token, strategy=name, body={"kind": "ldap", "settings": settings}
    )


def enter(host, name, number=1, password=None):
    body = {"username": f"user{number}", "password": password or password_of(number)}
    return host.query("auth:login", strategy=name, body=body)


def test_a_directory_that_is_added_logs_in_on_the_next_request(directory, tmp_path):
    given = settings_of(directory, secure=True, auto_create=True)
    with serve(tmp_path) as host:
        assert enter(host, "corp").error_id == "security.credentials.unknown_strategy"
        rehearsal = {"kind": "ldap", "settings": given}
        assert host.query("security:validateStrategy", strategy="corp", body=rehearsal).result is True
        made = add(host, "corp", **given)
        assert made.status == 200, made
        assert (made.result["plugin"], made.result["problem"]) == ("ldap", None)
        assert made.result["settings"]["bind_password"] == "**********"
        first = enter(host, "corp")
        assert first.status == 200, first
        assert host.query("auth:getCurrentUser", token=first.result["jwt"]).result["strategies"] == ["corp"]
        assert enter(host, "corp", password="wrong").status == 401
        for changes, words in (
            ({"bind_password": "wrong-canary"}, "invalidCredentials (49) - check bind_dn and bind_password"),
            ({"search_base": "dc=nowhere"}, "dc=nowhere does not exist"),
            ({"ca_file": None}, "the certificate is refused"),
            ({"url": "ldap://127.0.0.1:1"}, "connect: Connection refused"),
            ({"url": "ldaps://cn=a:url-canary@127.0.0.1"}, "settings.url: "),
            ({"search_filter": "(uid="}, "settings.search_filter: "),
            ({"pool_size": 0}, "settings.pool_size: "),
        ):
            refused = host.query("security:updateStrategy", strategy="corp", body=changes)
            assert (refused.status, refused.error_id) == (400, "security.strategy.rejected"), changes
            assert words in refused.body["error"]["message"], refused.body
            assert "canary" not in str(refused.body)
        assert enter(host, "corp").result["_id"] == first.result["_id"]
        assert host.query("security:updateStrategy", strategy="corp", body={"start_tls": True}).status == 400
        plain = {"url": directory.url, "start_tls": True}
        assert host.query("security:updateStrategy", strategy="corp", body=plain).status == 200
        assert enter(host, "corp").status == 200
        host.stop()
        host.start()
        assert enter(host, "corp").result["_id"] == first.result["_id"]
        assert host.query("security:deleteStrategy", strategy="corp").status == 200
        assert enter(host, "corp").error_id == "security.credentials.unknown_strategy"
        for secret in (slapd.SERVICE_PASSWORD, "canary", password_of(1)):
            assert secret not in host.log


def test_check_raises_for_a_directory_that_stopped(play, own_directory):
    async def scene(each):
        await each.strategy.check()
        own_directory.stop()
        with pytest.raises(errors.StrategyRejected, match="Connection refused"):
            await each.strategy.check()

    play(scene, settings_of(own_directory))


def test_one_server_that_works_is_enough(play, directory):
    async def scene(each):
        await each.strategy.check()

    play(scene, settings_of(directory) | {"url": ["ldap://127.0.0.1:1", directory.url]})


@pytest.mark.parametrize(
    "kind",
    [
        faulty_servers.Silent,
        faulty_servers.Slow,
        faulty_servers.BlackHole,
        faulty_servers.Garbled,
        faulty_servers.Closing,
    ],
)
def test_a_faulty_server_is_rejected_in_time(play, kind):
    with kind() as one, kind() as two:
        given = {
            "url": [one.url, two.url],
            "bind_dn": "cn=a",
            "bind_password": "x",
            "search_base": "dc=a",
            "timeout": 1,
        }

        async def scene(each):
            began = time.monotonic()
            with pytest.raises((errors.StrategyRejected, DirectoryUnreachable)):
                await each.strategy.check()
            assert time.monotonic() - began < 3 < each.strategy.timeout

        play(scene, given)


def held():
    """Return the threads of directories, by their names, and how many files this process has open."""
    threads = sorted(each.name for each in threading.enumerate() if each.name.startswith("visado-ldap"))
    return threads, len(list(Path("/proc/self/fd").iterdir()))


def test_a_directory_that_is_changed_or_removed_closes_everything(tmp_path, directory):
    given = settings_of(directory, auto_create=True, refresh_interval="100ms")

    async def main():
        async with playing(tmp_path / "host", given) as each:
            each.name = "corp"
            await each.host.security.added_strategies.add("ldap", "spare", given)
            await each.host.security.added_strategies.remove("spare")
            await until_async(lambda: not [name for name in held()[0] if "spare" in name])
            (threads, files), tasks = held(), len(asyncio.all_tasks())
            for turn in range(6):
                await each.host.security.added_strategies.add("ldap", "corp", given)
                outcomes = await asyncio.gather(*(each.login(f"user{n}", password_of(n)) for n in range(8)))
                assert {type(found) for found in outcomes} == {Success}
                await each.host.security.added_strategies.update("corp", {"pool_size": 4 + turn})
                assert isinstance(await each.login("user1", password_of(1)), Success)
                await each.host.security.added_strategies.remove("corp")
            await until_async(
                lambda: (held()[0], len(asyncio.all_tasks()), held()[1] <= files) == (threads, tasks, True),
                why=lambda: f"{held()} and {len(asyncio.all_tasks())}, not {(threads, files)} and {tasks}",
            )

    asyncio.run(main())


def test_observers_learn_which_directory_revoked_tokens(play, own_directory):
    heard = []

    class Ear(Observer):
        async def observe(self, event):
            heard.append(event)

    async def scene(each):
        each.host.security.observers.add(Ear(), "ear")
        await each.link("kuid-1", username="user1")
        token = await each.host.security.tokens.create("kuid-1")
        own_directory.delete(user_dn(1))
        for _ in range(2):  # outside a request, as in the host
            await asyncio.create_task(each.strategy.recheck.round(), context=contextvars.Context())
        with pytest.raises(errors.InvalidToken):
            await each.host.security.access.verify(token.text)

    play(scene, settings_of(own_directory))
    assert [event for event in heard if isinstance(event, TokensRevoked)] == [
        TokensRevoked(target="kuid-1", strategy="ldap")
    ]
