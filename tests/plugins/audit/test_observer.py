"""What is recorded of who acts, and waiting for records: requests share a write, and do not block the event loop."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time

import pytest

from tests.waiting import until_async
from visado import Challenge, Strategy, Success
from visado.events import UserChanged
from visado_audit import observer as observing
from visado_audit.errors import LogUnwritable
from visado_kit.in_process import build_host


@pytest.fixture
def disk(monkeypatch):
    """A disk that counts its syncs, and hangs while `free` is not set."""

    class Disk:
        syncs = 0
        free = threading.Event()

    disk = Disk()
    disk.free = threading.Event()
    disk.free.set()
    real = os.fdatasync

    def sync(fd):
        disk.syncs += 1
        disk.free.wait(30)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", sync)
    return disk


def play(scene, book, *, required=False):
    async def main():
        observer = book.observer(required=required)
        await observer.open()
        try:
            await scene(observer)
        finally:
            await observer.close()

    asyncio.run(main())


def event(target):
    return UserChanged(change="updated", target=str(target))


def test_who_waits_at_the_same_time_waits_for_one_sync(book, disk):
    async def scene(observer):
        await asyncio.gather(*(observer.observe(event(number)) for number in range(2_500)))

    play(scene, book)
    assert [each["target"] for each in book.of("user.updated")] == [str(number) for number in range(2_500)]
    assert disk.syncs < 10
    assert book.verify().last == 2_502


def test_a_disk_that_hangs_delays_a_moment_and_the_records_follow(book, disk, monkeypatch):
    monkeypatch.setattr(observing, "OPTIONAL_WAIT_SECONDS", 0.2)

    async def scene(observer):
        disk.free.clear()
        began = time.monotonic()
        await asyncio.gather(*(observer.observe(event(number)) for number in range(20)))
        assert 0.2 <= time.monotonic() - began < 2  # one after the other they would take four seconds
        disk.free.set()

    play(scene, book)
    assert len(book.of("user.updated")) == 20


def test_where_records_are_required_the_answer_waits_for_them(book, disk, monkeypatch):
    monkeypatch.setattr(observing, "OPTIONAL_WAIT_SECONDS", 0.1)

    async def scene(observer):
        assert observer.essential
        disk.free.clear()
        waiting = asyncio.create_task(observer.observe(event(1)))
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
        disk.free.set()
        await waiting

    play(scene, book, required=True)
    assert len(book.of("user.updated")) == 1


@pytest.mark.parametrize("required", [True, False])
def test_more_than_the_disk_takes_is_refused_or_counted(book, disk, monkeypatch, required):
    monkeypatch.setattr(observing, "MAX_QUEUED_EVENTS", 5)
    monkeypatch.setattr(observing, "OPTIONAL_WAIT_SECONDS", 0.1)

    async def scene(observer):
        disk.free.clear()
        syncs = disk.syncs
        first = asyncio.create_task(observer.observe(event("first")))
        await until_async(lambda: disk.syncs > syncs)
        others = [asyncio.create_task(observer.observe(event(number))) for number in range(8)]
        await until_async(lambda: "events arrive faster than the disk writes them" in (observer.problem() or ""))
        disk.free.set()
        results = await asyncio.gather(first, *others, return_exceptions=True)
        assert [isinstance(each, LogUnwritable) for each in results].count(True) == (3 if required else 0)

    play(scene, book, required=required)
    assert len(book.of("user.updated")) == 6
    assert [each["count"] for each in book.of("audit.missed")] == [3]
    assert book.verify()


class Become(Strategy):
    """Logs in as another user, or challenges a stranger."""

    name = "become"

    async def authenticate(self, request):
        if "user" not in request.fields:
            return Challenge(reason="who?")
        return Success(request.fields["user"], actor=request.user.id)


def records(folder):
    lines = (folder / "audit" / "audit.jsonl").read_text().splitlines()
    return [each for each in map(json.loads, lines) if each["requestId"] is not None]


def test_who_acts_as_another_user_is_the_actor_of_every_record(tmp_path):
    async def scene():
        async with build_host(tmp_path, {"security": {"impersonation": "within-actor"}}) as host:
            host.replace_strategy(Become())
            await host.open()
            actor, user = await host.create_user(0), await host.create_user(1)
            own = (await host.security.tokens.create(actor)).text
            login = await host.run("auth:login", {"user": user}, strategy="become", token=own)
            acting = login.reply.result["jwt"]
            for action in ("auth:getCurrentUser", "totp:begin", "auth:logout"):
                await host.run(action, token=acting)
            expected = [
                ("impersonated", "auth:login", user),
                ("login.succeeded", None, user),
                ("impersonated", "auth:getCurrentUser", user),
                ("access.denied", None, "totp:begin"),
                ("impersonated", "auth:logout", user),
                ("logout", None, user),
            ]
            found = records(tmp_path)
            assert [(each["event"], each.get("action"), each["target"]) for each in found] == expected
            assert {each["actor"] for each in found} == {actor}

    asyncio.run(scene())


def test_a_challenge_of_a_strategy_has_no_target_and_no_check(tmp_path):
    async def scene():
        async with build_host(tmp_path, {}) as host:
            host.replace_strategy(Become())
            await host.open()
            await host.run("auth:login", {}, strategy="become")
            [record] = records(tmp_path)
            assert (record["event"], record["outcome"], record["strategy"]) == ("login.challenged", "refused", "become")
            assert (record["actor"], record["target"], record["check"]) == (None, None, None)

    asyncio.run(scene())
