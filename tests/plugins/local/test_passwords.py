from __future__ import annotations

import asyncio
import gc
import statistics
import threading
import time
import unicodedata
from pathlib import Path

import argon2
import pytest

from tests.waiting import until
from visado import Fail, Query, errors
from visado_local.passwords import HASH_LIMITS, MAX_PASSWORD_BYTES, Passwords, encode_password, is_within_limits

WRONG = Fail("wrong username or password")
SALT, DIGEST = "c29tZXNhbHRzb21lc2FsdA", "A" * 43
DEMANDING = (
    f"$argon2id$v=19$m=4194304,t=2,p=1${SALT}${DIGEST}",
    f"$argon2id$v=19$m=19456,t=1000,p=1${SALT}${DIGEST}",
    f"$argon2id$v=19$m=19456,t=2,p=255${SALT}${DIGEST}",
    f"$argon2id$v=19$m=131072,t=16,p=1${SALT}${DIGEST}",
    "$2b$20$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ012345",
)
NO_HASHES = (
    f"$argon2i$v=19$m=19456,t=2,p=1${SALT}${DIGEST}",
    f"$argon2id$v=16$m=19456,t=2,p=1${SALT}${DIGEST}",
    f"$argon2id$v=19$m=0,t=2,p=1${SALT}${DIGEST}",
    f"$argon2id$v=19$m=19456,t=0,p=1${SALT}${DIGEST}",
    f"$argon2id$v=19$m=19456,t=2,p=1$!!!${DIGEST}",
    f"$argon2id$v=19$m=-1,t=2,p=1${SALT}${DIGEST}",
    f"$argon2id$v=19$m=\uff11\uff12345,t=2,p=1${SALT}${DIGEST}",
    "",
    "x" * 100_000,
    None,
    42,
    {},
)


def hashing():
    return {thread for thread in threading.enumerate() if thread.name.startswith("visado-local")}


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_unused_passwords_make_no_thread(play):
    async def scene(local):
        before = hashing()
        local.made()
        await local.host.security.credentials.get("local", "ann")
        assert hashing() <= before
        await local.enroll()
        assert 0 < len(hashing() - before) <= local.strategy._passwords._workers

    play(scene)


@pytest.mark.parametrize("way", ["close", "forget"])
def test_threads_go_with_their_owner(way):
    before = hashing()
    passwords = Passwords(7168, 1, 1)
    assert asyncio.run(passwords.hash("x"))
    mine = hashing() - before
    assert mine
    if way == "close":
        passwords.close()
        assert asyncio.run(passwords.hash("x"))
    del passwords
    gc.collect()
    until(lambda: not mine & hashing())


def test_stored_hashes_are_salted_argon2id_of_the_default_cost(play):
    async def scene(local):
        for number in range(20):
            await local.enroll(f"user{number}", "the same password for all")
        rows = (await local.host.security.credentials.search("local", Query())).hits
        hashes = [row["hash"] for _, row in rows]
        assert len({each.split("$")[4] for each in hashes}) == 20
        assert all(each.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for each in hashes)
        assert "the same password" not in repr(rows)

    play(scene, memory=19_456, iterations=2)


EXACT = {
    "64 ASCII": "x1Y?" * 16,
    "64 emoji": "🦊🐢" * 32,
    "leading space": " open sesame",
    "trailing space": "open sesame ",
    "embedded NUL": "open\0sesame",
    "folds under NFKC": "pªss",
    "accent": "café",
}


@pytest.mark.parametrize("password", EXACT.values(), ids=EXACT)
def test_passwords_count_byte_for_byte(play, password):
    variants = {
        password[:-1],
        password + " ",
        password.strip(),
        password.swapcase(),
        password.split("\0")[0],
        unicodedata.normalize("NFKC", password),
        unicodedata.normalize("NFD", password),
    } - {password}

    async def scene(local):
        user_id = await local.enroll(password=password)
        assert await local.login(password=password) == local.success(user_id)
        for variant in variants:
            assert await local.login(password=variant) == WRONG, variant

    play(scene)


@pytest.mark.parametrize(
    "password", ["a" * (MAX_PASSWORD_BYTES + 1), "é" * (MAX_PASSWORD_BYTES // 2 + 1), "\ud800", "x\udfff"]
)
def test_what_is_no_password_fails_like_a_wrong_one(play, password):
    async def scene(local):
        user_id = await local.enroll()
        assert await local.login(password=password) == WRONG
        with pytest.raises(errors.VisadoError) as refused:
            await local.change(user_id, password=password)
        assert (refused.value.id, refused.value.status) == ("local.password.invalid", 400)
        assert password[:8] not in str(refused.value)

    play(scene)


def test_the_longest_password_logs_in(play):
    async def scene(local):
        user_id = await local.enroll(password="é" * (MAX_PASSWORD_BYTES // 2))
        assert await local.login(password="é" * (MAX_PASSWORD_BYTES // 2)) == local.success(user_id)

    play(scene)
    assert encode_password("a" * MAX_PASSWORD_BYTES) is not None


@pytest.mark.parametrize("stored", [*DEMANDING, *NO_HASHES])
def test_a_hash_that_demands_too_much_costs_a_decoy(play, stored):
    async def scene(local):
        user_id = await local.enroll()
        await local.seed(user_id, hash=stored)
        await local.login("nobody")
        before, start = resident(), time.process_time()
        assert await local.login() == WRONG
        assert time.process_time() - start < 0.6  # a hash takes 30 ms
        assert resident() - before < 50_000_000
        assert (await local.row(user_id))["hash"] == stored

    play(scene)


@pytest.mark.parametrize("stored", [each for each in NO_HASHES if isinstance(each, str)] + list(DEMANDING))
def test_a_hash_beyond_the_limits_is_not_computed(stored):
    assert not is_within_limits(stored)


def test_what_the_settings_allow_is_is_within_limits():
    assert is_within_limits(f"$argon2id$v=19$m={HASH_LIMITS.memory},t=8,p=4${SALT}${DIGEST}")


def test_hashes_are_not_taken_from_clients(play):
    async def scene(local):
        user_id = await local.enroll()
        before = await local.row(user_id)
        for member in ({"hash": DEMANDING[0]}, {"revision": ""}, {"userId": "kuid-bob"}, {"byOwner": True}):
            with pytest.raises(errors.VisadoError) as refused:
                await local.change(user_id, **member)
            assert refused.value.status == 400
            await local.change(user_id, username="ann", **member)
        assert await local.row(user_id) == before

    play(scene)


def test_a_hash_that_lies_about_its_salt_costs_a_decoy_too(play):
    async def scene(local):
        user_id = await local.enroll()
        good = (await local.row(user_id))["hash"].split("$")
        await local.seed(user_id, hash="$".join([*good[:4], "A" * 85, good[5]]))
        assert await local.login() == WRONG

    play(scene)


def test_a_good_login_hashes_anew_once(play):
    async def scene(local):
        user_id = await local.enroll()
        old = argon2.PasswordHasher(1, 8192, 1).hash("a long enough phrase")
        await local.seed(user_id, hash=old)
        hashed = []
        fresh = local.strategy._passwords.hash

        async def counted(password):
            hashed.append(password)
            return await fresh(password)

        local.strategy._passwords.hash = counted
        await asyncio.gather(*(local.login(password="wrong") for _ in range(5)))
        assert (await local.row(user_id))["hash"] == old
        assert await asyncio.gather(*(local.login() for _ in range(20))) == [local.success(user_id)] * 20
        assert len(hashed) == 1
        row = await local.row(user_id)
        assert row["hash"].startswith("$argon2id$v=19$m=7168,t=5,p=1$")
        await asyncio.gather(*(local.login() for _ in range(5)))
        assert await local.row(user_id) == row
        assert await local.login() == local.success(user_id)

    play(scene)


def test_a_password_change_wins_over_hashing_anew(play):
    async def scene(local):
        user_id = await local.enroll()
        await local.seed(user_id, hash=argon2.PasswordHasher(1, 8192, 1).hash("a long enough phrase"))
        change = local.change(user_id, password="another long phrase")
        await asyncio.gather(*(local.login() for _ in range(10)), change, *(local.login() for _ in range(10)))
        assert await local.login() == WRONG
        assert await local.login(password="another long phrase") == local.success(user_id)

    play(scene)


def test_a_full_queue_refuses_at_once_and_recovers(play):
    async def scene(local):
        user_id = await local.enroll()
        start, base = time.perf_counter(), resident()
        outcomes = await asyncio.gather(*(local.login() for _ in range(500)), return_exceptions=True)
        good = [each for each in outcomes if each == local.success(user_id)]
        refused = [each for each in outcomes if isinstance(each, errors.Overloaded)]
        workers = local.strategy._passwords._workers
        assert len(good) + len(refused) == 500
        assert workers + 64 <= len(good) < 500
        assert resident() - base < workers * 19_922_944 + 100_000_000
        assert time.perf_counter() - start < 20
        assert await local.login() == local.success(user_id)

    play(scene, memory=19_456, iterations=2)


def test_abandoned_hashes_give_their_place_back(play):
    async def scene(local):
        await local.enroll()
        for _ in range(5):
            tasks = [asyncio.ensure_future(local.login()) for _ in range(60)]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        outcomes = await asyncio.gather(*(local.login() for _ in range(60)), return_exceptions=True)
        assert not [each for each in outcomes if isinstance(each, BaseException)]

    play(scene)


def test_the_event_loop_goes_on_while_passwords_are_hashed(play):
    async def scene(local):
        await local.enroll()
        logins = asyncio.gather(*(local.login(password="wrong") for _ in range(40)))
        pauses = []
        while not logins.done():
            start = time.perf_counter()
            await asyncio.sleep(0.001)  # subject: how long the event loop pauses
            pauses.append(time.perf_counter() - start)
        assert statistics.median(pauses) < 0.02

    play(scene)


def test_time_does_not_tell_why_a_login_fails(play):
    async def scene(local):
        await local.enroll()
        await local.user("kuid-bob")  # without local credentials
        broken = await local.enroll("eve")
        await local.seed(broken, hash=DEMANDING[0])
        tries = {
            "wrong": ("ann", "wrong"),
            "unknown": ("nobody", "wrong"),
            "elsewhere": ("kuid-bob", "wrong"),
            "broken": ("eve", "wrong"),
            "too long": ("ann", "x" * 10_000),
        }
        for _ in range(3):
            times = {name: [] for name in tries}
            for _ in range(25):
                for name, (username, password) in tries.items():
                    start = time.process_time()  # all threads of this process, however busy the machine is
                    assert await local.login(username, password) == WRONG
                    times[name].append(time.process_time() - start)
            medians = [statistics.median(each) for each in times.values()]
            if max(medians) - min(medians) < 0.005:
                return
        pytest.fail(f"{dict(zip(times, medians, strict=True))}")

    play(scene)
