"""Remembered answers never outlive what they say: every change is seen by the very next request.

The model is the host itself: the same request with one more header is another request, and is answered anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import tempfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from visado import app, errors
from visado.strategy import Actor

START = 2_000_000_000_000
ADMIN = {"controllers": {"*": {"actions": {"*": True}}}}
NARROW = {"controllers": {"auth": {"actions": {"getCurrentUser": True, "login": True}}}}


class Scene:
    """A host in this process, asked in bytes."""

    def __init__(self):
        self.now, self.count, self.hits = START, itertools.count(), 0
        self.tokens = {}

    def watch(self, host):
        self.host, find = host, host.cache.ask

        def counting(key):
            found = find(key)
            self.hits += found is not None
            return found

        host.cache.ask = counting

    async def ask(self, verb, path, body=None, *, token=None, fresh=False, client="127.0.0.1", headers=()):
        data = b"" if body is None else json.dumps(body).encode()
        sent = [(b"host", b"localhost"), *headers]
        if body is not None:
            sent += [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
        if token:
            sent.append((b"authorization", f"Bearer {token}".encode()))
        if fresh:
            sent.append((b"x-fresh", str(next(self.count)).encode()))
        out = []

        async def receive():
            return {"type": "http.request", "body": data, "more_body": False}

        async def send(message):
            out.append(message)

        raw, _, query = path.partition("?")
        scope = {"type": "http", "method": verb, "path": raw, "raw_path": raw.encode(), "query_string": query.encode(),
                 "scheme": "http", "headers": sent, "client": (client, 5)}  # fmt: skip
        await self.host(scope, receive, send)
        shown = json.loads(out[1]["body"])
        assert dict(out[0]["headers"])[b"x-kuzzle-request-id"].decode() == shown.pop("requestId")
        kept = {name: value for name, value in out[0]["headers"] if name not in (b"x-kuzzle-request-id", b"date")}
        return out[0]["status"], kept, shown

    async def same(self, verb, path, body=None, **how):
        """Ask twice, the second time anew, and find no difference but the id."""
        again = await self.ask(verb, path, body, **how)
        anew = await self.ask(verb, path, body, fresh=True, **how)
        assert again == anew, (verb, path)
        if again[0] == 200 and "strategies" in (result := again[2]["result"]):  # what is remembered of users, too
            assert result["strategies"] == await self.strategies(result.get("_id", "bob"))
        return again

    async def strategies(self, user):
        """The strategies of a user, as the storage has them."""
        host = self.host
        return [name for name in host.security.strategies if await host.security.credentials.get_of_user(name, user)]


def playing(scene, **given):
    async def run(folder):
        world = Scene()
        host = app.create_app({"server": {"data": folder}, **given}, clock=lambda: world.now)
        world.watch(host)
        await host.open()
        try:
            for name in ("ann", "bob"):
                await host.security.users.create(
                    {"profileIds": ["staff"] if name == "bob" else ["admin"], "name": name}, name
                )
                world.tokens[name] = (await host.security.tokens.create(name, 3_600_000)).text
            await scene(world)
        finally:
            await host.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(folder))


@pytest.fixture(autouse=True)
def _staff(monkeypatch):
    """Let the profile `staff` be there from the start, with a role of its own."""
    opened = app.Visado.open

    async def with_staff(self):
        await opened(self)
        await self.security.roles.create("staff", ADMIN)
        await self.security.profiles.create("staff", {"policies": [{"roleId": "staff"}]})

    monkeypatch.setattr(app.Visado, "open", with_staff)


def test_an_equal_request_is_answered_again_under_its_own_id():
    async def scene(world):
        token = world.tokens["ann"]
        for _ in range(2):  # what is asked once is not remembered
            await world.ask("GET", "/_me", token=token)
        assert world.hits == 0
        for _ in range(3):
            await world.same("GET", "/_me", token=token)
        assert world.hits == 3
        first = await world.ask("GET", "/_me", token=token, headers=[(b"x-kuzzle-request-id", b"my-own-id-12345")])
        assert (first[0], world.hits) == (200, 4)
        await world.same("GET", "/_me", token=world.tokens["bob"])
        assert world.hits == 4

    playing(scene)


@pytest.mark.parametrize("client", ["127.0.0.1", "203.0.113.9"])
def test_who_asks_from_elsewhere_is_not_answered_as_from_here(client):
    async def scene(world):
        for _ in range(3):
            await world.ask("GET", "/users/ann", client="127.0.0.1")
        assert world.hits == 1
        status, _, _ = await world.same("GET", "/users/ann", client=client)
        assert status == (200 if client == "127.0.0.1" else 401)

    playing(scene)


async def _users(world):
    await world.host.security.users.merge("bob", {"name": f"bob-{next(world.count)}"})


async def _profiles_of_user(world):
    await world.host.security.users.merge("bob", {"profileIds": ["default"]})


async def _role(world):
    await world.host.security.roles.replace("staff", NARROW)


async def _profile(world):
    await world.host.security.profiles.replace("staff", {"policies": [{"roleId": "default"}]})


async def _revoke(world):
    await world.host.security.tokens.revoke_all("bob")


async def _logout(world):
    await world.ask("POST", "/_logout", token=world.tokens["bob"])


async def _expire(world):
    world.now += 3_600_000


async def _refresh(world):
    token = await world.host.security.access.verify(world.tokens["bob"])
    await world.host.security.tokens.refresh(token)
    world.now += 2_000


async def _delete(world):
    await world.host.security.accounts.delete("bob")


async def _credentials(world):
    await world.host.security.strategy_credentials.create(
        "local", "bob", {"username": "bob", "password": "a password of bob"}, Actor("host")
    )


async def _plugin(world):
    await _credentials(world)
    shown = [await world.same("GET", "/_me", token=world.tokens["bob"]) for _ in range(3)]
    assert [body["result"]["strategies"] for _, _, body in shown] == [["local"]] * 3
    await world.host.switches.disable("local")


CHANGES = [
    _users,
    _profiles_of_user,
    _role,
    _profile,
    _revoke,
    _logout,
    _expire,
    _refresh,
    _delete,
    _credentials,
    _plugin,
]


def reads(world):
    bob = world.tokens["bob"]
    return [
        ("GET", "/_me", None, bob),
        ("GET", "/_me/_rights", None, bob),
        ("GET", "/users/bob", None, world.tokens["ann"]),
        ("GET", "/users/bob/_strategies", None, world.tokens["ann"]),
        ("GET", "/users/bob/_rights", None, world.tokens["ann"]),
        ("GET", "/roles/staff", None, bob),
        ("GET", "/profiles/staff", None, bob),
        ("POST", "/_checkToken", {"token": bob}, None),
        ("POST", "/_checkToken", {"token": bob}, world.tokens["ann"]),
    ]


@pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.__name__[1:])
def test_every_change_is_seen_by_the_very_next_request(change):
    async def scene(world):
        for _ in range(3):
            before = [await world.ask(verb, path, body, token=token) for verb, path, body, token in reads(world)]
        assert world.hits == len(before)
        await change(world)
        after = [await world.same(verb, path, body, token=token) for verb, path, body, token in reads(world)]
        assert after != before or change is _plugin  # which goes back to what was before its credentials

    playing(scene)


@pytest.mark.parametrize("large", ["header", "query", "answer"])
def test_what_is_large_is_not_remembered(large):
    async def scene(world):
        token, path, headers = world.tokens["ann"], "/_me", []
        if large == "header":
            headers = [(b"x-large", b"x" * 4_096)]
        if large == "query":
            path += "?x=" + "x" * 4_096
        if large == "answer":
            await world.host.security.users.merge("ann", {"name": "x" * 9_000})
        for _ in range(4):
            assert (await world.ask("GET", path, token=token, headers=headers))[0] == 200
        assert (world.hits, len(world.host.cache._responses)) == (0, 0)

    playing(scene)


def test_a_rate_limit_counts_answers_that_are_remembered():
    async def scene(world):
        await world.host.security.profiles.replace("staff", {"policies": [{"roleId": "staff"}], "rateLimit": 5})
        found = [(await world.ask("GET", "/_me", token=world.tokens["bob"]))[0] for _ in range(9)]
        assert found == [200] * 5 + [429] * 4
        world.now += 1_000
        assert (await world.ask("GET", "/_me", token=world.tokens["bob"]))[0] == 200

    playing(scene)


def test_a_single_use_token_is_remembered_for_nothing():
    async def scene(world):
        once = (await world.host.security.tokens.create("bob", 60_000, single_use=True)).text
        assert (await world.ask("POST", "/_checkToken", {"token": once}))[2]["result"]["valid"] is True
        assert (await world.ask("GET", "/_me", token=once))[0] == 200
        assert (await world.ask("GET", "/_me", token=once))[0] == 401
        assert (await world.ask("POST", "/_checkToken", {"token": once}))[2]["result"]["valid"] is False

    playing(scene)


def test_a_host_that_stops_answers_nothing_again():
    async def scene(world):
        for _ in range(3):
            await world.ask("GET", "/_me", token=world.tokens["bob"])
        assert world.hits == 1
        await world.host.stop()
        assert (await world.ask("GET", "/_me", token=world.tokens["bob"]))[0] == 503

    playing(scene)


def test_requests_are_counted_whether_or_not_they_are_answered_again():
    async def scene(world):
        for _ in range(4):
            await world.ask("GET", "/_me", token=world.tokens["bob"])
        assert 'visado_requests_total{action="auth:getCurrentUser",status="200"} 4' in world.host.metrics.text()

    playing(scene)


STEPS = st.lists(st.integers(0, 100), min_size=5, max_size=40)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_reads_and_changes_at_random_agree_with_the_host_that_forgets(steps):
    async def scene(world):
        host = world.host

        async def again():
            if await host.security.users.get("bob") is None:
                await host.security.users.create({"profileIds": ["staff"]}, "bob")
            world.tokens["bob"] = (await host.security.tokens.create("bob", 3_600_000)).text

        async def widen():
            await host.security.roles.replace("staff", ADMIN)
            await host.security.profiles.replace("staff", {"policies": [{"roleId": "staff"}]})

        async def back():
            await host.security.users.merge("bob", {"profileIds": ["staff", "admin"]})

        async def uncredential():
            if await host.security.strategies["local"].exists("bob"):
                await host.security.strategy_credentials.delete("local", "bob")

        cheap = [_users, _profiles_of_user, _role, _profile, _revoke, _logout, _expire, _refresh, _delete]
        changes = [*([each, world] for each in cheap), *([each] for each in (again, widen, back, uncredential))]
        for step in steps:
            asked = reads(world)
            if step < 75:
                verb, path, body, token = asked[step % len(asked)]
                for _ in range(2):
                    await world.same(verb, path, body, token=token)
                continue
            call, *arguments = changes[step % len(changes)]
            with contextlib.suppress(errors.VisadoError):  # bob is gone, or his token
                await call(*arguments)
        for _ in range(3):
            for verb, path, body, token in reads(world):
                await world.same(verb, path, body, token=token)

    playing(scene)


def test_a_socket_gets_its_own_answers_again(live):
    token = live.login("admin", "a long enough password")
    with live.socket() as socket:
        answers = [socket.query("auth:getCurrentUser", token=token) for _ in range(3)]
        assert {each.status for each in answers} == {200}
        live.query("security:updateUser", token=token, _id="admin", body={"name": "another"})
        assert socket.query("auth:getCurrentUser", token=token).result["_source"]["name"] == "another"
        live.query("auth:logout", token=token)
        assert socket.query("auth:getCurrentUser", token=token).error_id == "security.token.invalid"


@pytest.mark.parametrize("chosen", ["getCurrentUser", "bob-bob-bob", "_kuzzle_info", "requestId"])
def test_an_id_that_stands_elsewhere_in_the_answer_changes_no_other_answer(chosen):
    async def scene(world):
        await world.host.security.users.merge("bob", {"name": "bob-bob-bob"})
        token = world.tokens["bob"]
        for _ in range(4):
            named = await world.ask("GET", "/_me", token=token, headers=[(b"x-kuzzle-request-id", chosen.encode())])
        again = await world.ask("GET", "/_me", token=token)
        assert (again[0], again[2]) == (named[0], named[2])

    playing(scene)


def test_an_id_that_stands_elsewhere_changes_nothing_on_a_socket(live):
    message = {"controller": "auth", "action": "getCurrentUser"}
    with live.socket() as socket:
        for chosen in ["getCurrentUser"] * 4 + ["another-id-1", "another-id-2", "another-id-3"]:
            socket.send({**message, "requestId": chosen})
            answer = socket.receive()
            assert (answer["action"], answer["requestId"], answer["room"]) == ("getCurrentUser", chosen, chosen)
