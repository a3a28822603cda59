from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

import pytest

from tests.waiting import until_async
from visado import errors, events
from visado.events import Event, Observer
from visado.login_check import Challenge, LoginCheck
from visado.request import Request
from visado.strategy import Fail, Success

WORD = {"word": "x"}


class Ear(Observer):
    """Remembers what it hears; or fails, or hangs, as it is told."""

    def __init__(self, *, essential=False, timeout=1.0):
        self.essential, self.timeout = essential, timeout
        self.heard: list[Event] = []
        self.asked = 0
        self.failure: BaseException | None = None
        self.hanging = False
        self.stays = 0.0
        self.closed = False
        self.began = asyncio.Event()

    async def observe(self, event):
        self.asked += 1
        self.began.set()
        if self.failure is not None:
            raise self.failure
        if self.hanging:
            await asyncio.Event().wait()
        self.heard.append(event)
        await asyncio.sleep(self.stays)  # subject: an observer that takes its time

    async def close(self):
        self.closed = True

    @property
    def kinds(self):
        return [each.kind for each in self.heard]


async def told(inside):
    """Wait until the observers have heard of everything that was noted."""
    await asyncio.sleep(0)
    await until_async(lambda: not inside.host.security.observers._deliveries)


class Check(LoginCheck):
    name = "moody"
    decision = Fail("not today")

    async def check(self, login):
        return self.decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd(Event):
    name = "odd"
    things: list


@pytest.fixture
def listen(play, scripted):
    """Run a scene in a host with a strategy `scripted` that lets ann in, and with these observers."""

    def run(scene, *ears, **given):
        async def listening(inside):
            await inside.host.security.users.create({"profileIds": ["default"]}, "ann")
            for number, ear in enumerate(ears):
                inside.host.security.observers.add(ear, f"plugin{number}")
            inside.strategy = inside.host.security.strategies["scripted"]
            return await scene(inside)

        given["plugins"] = {"disabled": ["audit"]}  # these are the only ones who listen
        return play(listening, strategies=[scripted(outcome=Success("ann"))], **given)

    return run


def login(inside, **others):
    return inside.ask("auth:login", WORD, strategy="scripted", **others)


# What an observer does harms nobody


@pytest.mark.parametrize(
    "failure", [RuntimeError("x"), errors.StorageUnavailable(), asyncio.CancelledError(), TimeoutError()]
)
def test_an_observer_that_raises_harms_no_request(listen, caplog, failure):
    sick, well = Ear(), Ear()
    sick.failure = failure

    async def scene(inside):
        for _ in range(3):
            assert (await login(inside)).status == 200
        assert sick.asked == 3, "it is asked again: it was not slow"
        assert well.kinds == ["login.succeeded"] * 3

    with caplog.at_level(logging.WARNING):
        listen(scene, sick, well)
    assert 'an observer of the plugin "plugin0"' in caplog.text


def test_one_that_hangs_delays_by_its_timeout_and_is_then_left_out_for_a_while(listen, caplog, monkeypatch):
    sick, well = Ear(timeout=0.5), Ear()
    sick.hanging = True

    async def scene(inside):
        began = time.monotonic()
        assert (await login(inside)).status == 200
        assert 0.5 <= time.monotonic() - began < 1.5
        for _ in range(3):
            assert (await login(inside)).status == 200
        assert (sick.asked, len(well.heard)) == (1, 4)
        sick.hanging = False
        for registered in inside.host.security.observers._registered:
            registered.skipped_until = 0.0  # the pause is over
        await login(inside)
        assert sick.kinds == ["login.succeeded"]

    with caplog.at_level(logging.WARNING):
        listen(scene, sick, well)
    assert "missed 3 events while it was skipped" in caplog.text


def test_two_that_hang_delay_no_longer_than_one_and_many_events_no_longer_than_one(listen):
    sick = [Ear(timeout=1.0), Ear(timeout=1.0, essential=True)]
    for each in sick:
        each.hanging = True

    async def scene(inside):
        body = {"roles": {f"role{number}": {"controllers": {"*": {"actions": {"*": True}}}} for number in range(20)}}
        began = time.monotonic()
        assert await inside.error("admin:loadSecurities", body) == "api.process.unobserved"
        assert time.monotonic() - began < 1.9

    listen(scene, *sick)


@pytest.mark.parametrize("failure", ["raises", "hangs", "refuses"])
def test_where_an_essential_one_fails_a_login_is_503_and_no_token_is_delivered(listen, failure):
    sick = Ear(essential=True, timeout=0.2)

    async def scene(inside):
        sick.hanging = failure == "hangs"
        sick.failure = {"raises": RuntimeError("x"), "refuses": errors.StorageUnavailable()}.get(failure)
        for _ in range(2):  # it is never left out
            for how in ({}, {"cookieAuth": True}):
                response = await login(inside, **how)
                assert (response.status, response.error.id) == (503, "api.process.unobserved")
                assert response.envelope("node")["result"] is None
                assert response.reply.cookies == ()
        assert sick.asked == 4
        assert (await inside.ask("auth:getStrategies")).status == 200, "where nothing happened, nothing is missed"
        sick.hanging, sick.failure = False, None
        assert (await login(inside)).status == 200

    listen(scene, sick)


def test_an_essential_one_that_is_quarantined_lets_nobody_in_until_it_is_switched_off(listen):
    ear = Ear(essential=True)

    async def scene(inside):
        inside.host.plugins.unavailable.add("plugin0")
        assert (await login(inside)).status == 503
        inside.host.plugins.disabled.add("plugin0")
        assert (await login(inside)).status == 200
        assert ear.heard == []

    listen(scene, ear)


def test_a_plugin_hears_of_its_own_end_and_of_nothing_after_it(listen):
    ear, other = Ear(), Ear()

    async def scene(inside):
        inside.host.plugins.disabled |= {"plugin0"}
        inside.host.security.observers.note(events.PluginSwitched(target="plugin0", on=False))
        inside.host.security.observers.note(events.PluginSwitched(target="plugin1", on=False))
        inside.host.security.observers.note(events.UserChanged(change="created", target="eve"))
        await asyncio.sleep(0)
        await asyncio.gather(*inside.host.security.observers._deliveries)
        assert [each.target for each in ear.heard] == ["plugin0"]
        assert [each.target for each in other.heard] == ["plugin0", "plugin1", "eve"]

    listen(scene, ear, other)


# What is told


def test_what_is_noted_twice_is_told_once_and_in_the_order_of_the_first(listen):
    ear = Ear()

    async def scene(inside):
        async def twice(request):
            for target in ("b", "a", "b", "c", "a"):
                inside.host.security.observers.note(events.UserChanged(change="updated", target=target))
            inside.host.security.observers.note(events.UserChanged(change="deleted", target="a"))
            return Fail("no")

        inside.strategy.outcome = twice
        await login(inside)
        told = [(each.kind, each.target) for each in ear.heard]
        assert told == [
            ("user.updated", "b"),
            ("user.updated", "a"),
            ("user.updated", "c"),
            ("user.deleted", "a"),
            ("login.refused", None),
        ]
        await login(inside)
        assert len(ear.heard) == 10, "another request tells its own"

    listen(scene, ear)


def test_events_of_a_request_reach_an_observer_in_order_also_where_it_takes_its_time(listen):
    ear = Ear()
    ear.stays = 0.05

    async def scene(inside):
        body = {"roles": {f"role{number}": {"controllers": {"*": {"actions": {"*": True}}}} for number in range(600)}}
        began = time.monotonic()
        await inside.result("admin:loadSecurities", body)
        assert [each.target for each in ear.heard] == [*body["roles"]]
        assert time.monotonic() - began < 10, "not one after the other"

    listen(scene, ear)


def test_ten_thousand_events_of_a_request_are_compared_in_no_time(listen):
    ear = Ear()

    async def scene(inside):
        async def many(request):
            for number in range(10_000):
                inside.host.security.observers.note(events.UserChanged(change="updated", target=str(number)))
            return Fail("no")

        inside.strategy.outcome = many
        began = time.monotonic()
        await login(inside)
        assert time.monotonic() - began < 5
        assert len(ear.heard) == 10_001

    listen(scene, ear)


def test_who_asked_is_filled_in_and_what_a_client_sent_is_bounded(listen):
    ear = Ear()

    async def scene(inside):
        token = await inside.token("ann")
        await inside.ask("auth:updateSelf", {"name": "A"}, token=token)
        request = Request("r" * 5_000, "auth", "login", {"strategy": "nobody"}, {})
        request.connection.address = "192.0.2.7"

        async def decoded():
            return request

        await inside.host.pipeline.run(decoded())
        updated, refused = ear.heard
        assert (updated.kind, updated.actor, updated.target, updated.request_id) == ("user.updated", "ann", "ann", "1")
        assert (refused.kind, refused.actor, refused.target, refused.strategy) == ("login.refused", None, None, None)
        assert (refused.address, len(refused.request_id), refused.reason) == (
            "192.0.2.7",
            200,
            "security.credentials.unknown_strategy",
        )

    listen(scene, ear)


def test_what_is_rolled_back_is_not_told(listen):
    ear = Ear()

    async def scene(inside):
        inside.strategy.faults["created"] = errors.CredentialsRejected(reason="no")
        body = {"content": {"profileIds": ["default"]}, "credentials": {"scripted": WORD}}
        assert await inside.error("security:createUser", body, _id="eve") == "security.credentials.rejected"
        assert ear.heard == []
        inside.strategy.faults.clear()
        await inside.result("security:createUser", body, _id="eve")
        assert ear.kinds == ["user.created", "credentials.created"]

    listen(scene, ear)


def test_an_event_that_cannot_be_hashed_is_refused_where_it_is_noted(listen):
    async def scene(inside):
        with pytest.raises(TypeError):
            inside.host.security.observers.note(Odd(things=[]))

    listen(scene, Ear())


# Login checks


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        (Fail("not today"), ("login.refused", "plugin.strategy.missing_user")),
        ("nonsense", ("login.refused", "plugin.check.invalid_decision")),
        (Challenge(), ("login.challenged", "moody")),
    ],
)
def test_whom_a_check_refuses_is_told_once_by_name(listen, decision, told):
    ear, check = Ear(), Check()
    check.decision = decision

    async def scene(inside):
        inside.host.security.login_checks.add(check, "moody")
        assert (await login(inside)).status >= 400
        (event,) = ear.heard
        shown = event.as_dict()
        assert (event.kind, shown.get("reason") or shown.get("check")) == told
        assert (event.target, event.strategy, event.actor) == ("ann", "scripted", None)

    listen(scene, ear)


def test_whom_a_check_refuses_in_an_action_of_a_plugin_is_told_too(listen):
    ear = Ear()

    async def scene(inside):
        inside.host.security.login_checks.add(Check(), "moody")

        async def elsewhere(request, session):
            user = await inside.host.security.users.get("ann")
            await inside.host.security.logins.complete(user, "scripted")

        inside.strategy.refresh = elsewhere
        token = await inside.token("ann")
        await inside.ask("auth:refreshToken", strategy="scripted", token=token)
        assert [(each.kind, each.target, each.actor) for each in ear.heard] == [("login.refused", "ann", "ann")]

    listen(scene, ear)


@pytest.mark.parametrize(
    ("expires_in", "error"), [("nonsense", "api.assert.invalid_argument"), (10**9, "security.token.ttl_exceeded")]
)
def test_a_login_that_asks_for_too_much_is_a_refused_login(listen, expires_in, error):
    ear = Ear()

    async def scene(inside):
        assert (await login(inside, expiresIn=expires_in)).error.id == error
        assert [(each.kind, each.target, each.reason) for each in ear.heard] == [("login.refused", "ann", error)]

    listen(scene, ear, security={"token": {"max_ttl": 10**8}})


# Tokens


def test_tokens_that_a_plugin_ends_are_told_and_what_ends_with_a_logout_or_a_user_is_part_of_that(listen):
    ear = Ear()

    async def scene(inside):
        token = await inside.token("ann")
        await inside.host.security.tokens.revoke_all("ann")
        await told(inside)
        assert [(each.kind, each.target, each.actor) for each in ear.heard] == [("tokens.revoked", "ann", None)]
        token = await inside.token("ann")
        await inside.ask("auth:logout", token=token, **{"global": True})
        await inside.host.security.tokens.create("ann")
        await inside.host.security.accounts.delete("ann")
        await told(inside)
        assert ear.kinds == ["tokens.revoked", "logout", "user.deleted"]

    listen(scene, ear)


# The end of a request, and of the host


async def made(inside, number):
    return f"eve{number}" in await inside.rows("users")


async def renamed(inside, number):
    return (await inside.rows("users"))["ann"].get("name") == f"Ann {number}"


async def has_a_key(inside, number):
    return f"key{number}" in await inside.rows("api-keys")


async def has_no_tokens(inside, number):
    return not await inside.rows("tokens")


@pytest.mark.parametrize(
    ("action", "kind", "is_done"),
    [
        ("security:createUser", "user.created", made),
        ("security:updateUser", "user.updated", renamed),
        ("security:createApiKey", "key.created", has_a_key),
        ("security:revokeTokens", "tokens.revoked", has_no_tokens),
    ],
)
def test_a_client_who_goes_away_takes_no_event_along(listen, action, kind, is_done):
    ear = Ear()

    async def scene(inside):
        found = []
        for number in range(20):
            ear.heard.clear()
            await inside.token("ann")
            body, args = {
                made: ({"content": {"profileIds": ["default"]}}, {"_id": f"eve{number}"}),
                renamed: ({"name": f"Ann {number}"}, {"_id": "ann"}),
                has_a_key: ({"description": "x"}, {"_id": f"key{number}", "userId": "ann"}),
                has_no_tokens: (None, {"_id": "ann"}),
            }[is_done]
            task = asyncio.create_task(inside.ask(action, body, **args))
            for _ in range(number // 2):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await inside.host.storage.check()  # whatever was queued is written
            await told(inside)
            found.append((await is_done(inside, number), ear.kinds))
        assert dict(found) == {False: [], True: [kind]}
        assert all(kinds == ([kind] if done else []) for done, kinds in found)

    listen(scene, ear)


def test_a_request_that_ends_while_it_is_told_is_told_all_the_same(listen):
    ear = Ear()
    ear.stays = 0.1

    async def scene(inside):
        task = asyncio.create_task(
            inside.ask("security:createUser", {"content": {"profileIds": ["default"]}}, _id="eve")
        )
        await ear.began.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert ear.kinds == ["user.created"]

    listen(scene, ear)


def test_the_host_tells_what_is_left_before_its_observers_end(listen):
    ear = Ear()

    class Late(Ear):
        async def observe(self, event):
            await asyncio.sleep(0.1)  # subject: an observer that takes its time
            assert not self.closed
            await super().observe(event)

    late = Late()

    async def scene(inside):
        for number in range(5):
            inside.host.security.observers.note(events.UserChanged(change="updated", target=str(number)))

    listen(scene, ear, late)
    assert [each.target for each in late.heard] == [each.target for each in ear.heard] == list("01234")
    assert late.closed
    assert ear.closed


# What an administrator sees


def test_a_problem_of_an_observer_is_shown_and_one_that_lets_nobody_in_is_an_illness(listen):
    ear, needed = Ear(), Ear(essential=True)

    async def scene(inside):
        ear.problem = lambda: "no ink"
        shown = (await inside.result("server:info"))["serverInfo"]["kuzzle"]["observers"]
        assert (shown["plugin0"], shown["plugin1"]) == ("no ink", "ready")
        assert (await inside.result("server:healthCheck"))["status"] == "green"
        needed.problem = lambda: "no paper"
        assert (await inside.ask("server:healthCheck")).error.result["services"]["plugins"] == "red"

    listen(scene, ear, needed)
