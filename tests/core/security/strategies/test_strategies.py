from __future__ import annotations

import asyncio
import re
import time
from collections import Counter

import pytest

from tests.waiting import until_async
from visado import errors
from visado.strategy import Fail, Pass, Redirect, Success

INVALID, KUID, UNKNOWN, REFUSED = (
    f"plugin.strategy.{name}" for name in ("invalid_verify_resolve", "invalid_kuid", "unknown_kuid", "missing_user")
)
FAILED = "plugin.runtime.unexpected_error"


class Equal:
    def __eq__(self, other):
        return True

    __hash__ = None


class Sly(str):
    __slots__ = ()


def named(each):
    """Return how a value is written, without its address: every worker collects the same names."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(each))


NO_TOKENS = [
    (None, INVALID), (True, INVALID), (False, INVALID), (42, INVALID), (0, INVALID), ("admin", INVALID), ("", INVALID),
    ([], INVALID), ({}, INVALID), ({"kuid": "ann"}, INVALID), ({"user_id": "ann"}, INVALID), (object(), INVALID), (Equal(), INVALID),
    ((Success("ann"),), INVALID), (type(Success("ann")), INVALID),
    (Success(None), KUID), (Success(42), KUID), (Success(True), KUID), (Success(["ann"]), KUID), (Success({}), KUID), (Success(b"ann"), KUID),
    (Success(""), KUID), (Success(Equal()), KUID), (Success(Sly("ann")), KUID),
    (Success("nobody"), UNKNOWN), (Success("ANN"), UNKNOWN), (Success("ann "), UNKNOWN), (Success("ann\0"), UNKNOWN), (Success("*"), UNKNOWN),
    (Fail(), REFUSED), (Fail("go away"), REFUSED), (Fail(None), INVALID), (Fail(42), INVALID), (Pass(), REFUSED),
]  # fmt: skip


@pytest.mark.parametrize(("outcome", "id"), NO_TOKENS, ids=lambda each: named(each)[:30])
def test_what_is_no_success_of_a_user_is_no_token(play, scripted, outcome, id):
    async def scene(inside):
        await inside.host.security.users.create({"profileIds": ["admin"]}, "ann")
        response = await inside.ask("auth:login", {}, strategy="scripted")
        assert response.error is not None
        assert response.error.id == id
        assert response.status == (401 if id == REFUSED else 500)
        assert await inside.rows("tokens") == {}

    play(scene, strategies=[scripted(outcome=outcome)])


def test_the_reason_of_a_failure_is_the_message(play, scripted):
    async def scene(inside):
        response = await inside.ask("auth:login", {}, strategy="scripted")
        assert (response.error.text, response.error.props) == ("go away", ["go away"])

    play(scene, strategies=[scripted(outcome=Fail("go away"))])


@pytest.mark.parametrize(
    "error",
    [ValueError("canary"), RecursionError("canary"), MemoryError("canary"), SystemExit("canary"), TimeoutError("canary"),
     StopAsyncIteration("canary"), KeyError("canary"), OSError("canary"), asyncio.CancelledError("canary"),
     type("Abort", (BaseException,), {})("canary")],
    ids=lambda each: type(each).__name__,
)  # fmt: skip
@pytest.mark.parametrize("where", ["authenticate", "info", "exists"])
def test_whatever_a_strategy_raises_is_one_refusal_that_tells_nothing(play, scripted, where, error):
    async def raising(_):
        raise error

    async def scene(inside):
        ann = await inside.user("ann", "admin")
        if where == "authenticate":
            asked = inside.ask("auth:login", {}, strategy="scripted")
        else:
            strategy.faults[where] = error
            name = {"info": "getMyCredentials", "exists": "credentialsExist"}[where]
            asked = inside.ask(f"auth:{name}", strategy="scripted", token=ann)
        (response,) = await asyncio.gather(asyncio.create_task(asked), return_exceptions=True)
        assert not isinstance(response, BaseException), f"{response!r} instead of an answer"
        assert (response.error.id, response.status) == (FAILED, 500)
        assert "canary" not in str(response.envelope("node"))
        assert await inside.error("server:now") is None
        assert await inside.error("auth:getCurrentUser", token=ann) is None

    strategy = scripted(outcome=raising)
    play(scene, strategies=[strategy])


def test_an_error_of_ours_passes_as_it_is(play, scripted):
    async def raising(_):
        raise errors.Overloaded

    async def scene(inside):
        assert await inside.error("auth:login", {}, strategy="scripted") == "api.process.overloaded"

    play(scene, strategies=[scripted(outcome=raising)])


async def hang(_):
    await asyncio.Event().wait()


def test_a_strategy_that_hangs_is_given_up_and_harms_nobody_else(play, scripted):
    async def scene(inside):
        login = {"username": "ann", "password": "password"}
        await inside.result(
            "security:createUser", {"content": {"profileIds": ["default"]}, "credentials": {"local": login}}, _id="ann"
        )
        hanging = [asyncio.create_task(inside.ask("auth:login", {}, strategy="slow")) for _ in range(10)]
        await asyncio.sleep(0)
        assert (await inside.result("auth:login", login))["_id"] == "ann"
        assert not any(each.done() for each in hanging)
        for response in await asyncio.gather(*hanging):
            assert (response.error.id, response.status) == ("plugin.strategy.timeout", 504)
        assert await inside.rows("tokens")

    play(scene, strategies=[scripted("slow", outcome=hang, timeout=1.5)])


def test_every_method_has_the_time_limit(play, scripted):
    async def scene(inside):
        ann = await inside.user("ann", "admin")
        for method, action, body in [
            ("exists", "credentialsExist", None),
            ("info", "getMyCredentials", None),
            ("validate", "createMyCredentials", {"word": "a"}),
            ("delete", "deleteMyCredentials", None),
        ]:
            setattr(strategy, method, lambda *_, **__: hang(None))
            assert (
                await inside.error(f"auth:{action}", body, strategy="scripted", token=ann) == "plugin.strategy.timeout"
            )
        assert (await inside.result("auth:getCurrentUser", token=ann))["strategies"] == []

    strategy = scripted(timeout=0.05)
    play(scene, strategies=[strategy])


def test_so_many_logins_at_once_and_as_many_waiting_and_no_more(play, scripted):
    async def scene(inside):
        await inside.user("ann")

        async def answer(_):
            await gate.wait()
            return Success("ann")

        gate = asyncio.Event()
        strategy.outcome = answer
        logins = [asyncio.create_task(inside.ask("auth:login", {}, strategy="scripted")) for _ in range(20)]
        for _ in range(50):
            await asyncio.sleep(0)
        assert strategy.running == 3
        gate.set()
        statuses = Counter(response.status for response in await asyncio.gather(*logins))
        assert statuses == {200: 6, 503: 14}
        assert strategy.most == 3
        assert await inside.error("auth:login", {}, strategy="scripted") is None

    strategy = scripted(concurrency=3)
    play(scene, strategies=[strategy])


def test_waiting_for_a_place_ends_too(play, scripted):
    async def scene(inside):
        began = time.monotonic()
        answers = await asyncio.gather(*(inside.ask("auth:login", {}, strategy="slow") for _ in range(20)))
        assert {response.status for response in answers} <= {503, 504}
        assert time.monotonic() - began < 2.5

    play(scene, strategies=[scripted("slow", outcome=hang, timeout=0.3, concurrency=2)])


def test_a_login_that_is_cancelled_gives_its_place_back(play, scripted):
    async def scene(inside):
        await inside.user("ann")
        for _ in range(3):
            tasks = [asyncio.create_task(inside.ask("auth:login", {}, strategy="slow")) for _ in range(2)]
            await until_async(lambda: strategy.running)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        strategy.outcome = Success("ann")
        assert await inside.error("auth:login", {}, strategy="slow") is None

    strategy = scripted("slow", outcome=hang, concurrency=1)
    play(scene, strategies=[strategy])


def test_a_redirect_is_the_contracts_envelope(play, scripted):
    async def scene(inside):
        response = await inside.ask("auth:login", {}, strategy="scripted")
        shown = response.envelope("n")
        assert (shown["status"], shown["error"]) == (302, None)
        assert shown["headers"] == {"location": "https://idp.example/?a=b", "content-length": "0"}
        assert shown["result"] == {
            "headers": {"Location": "https://idp.example/?a=b", "Content-Length": "0"},
            "statusCode": 302,
        }
        assert await inside.rows("tokens") == {}

    play(scene, strategies=[scripted(outcome=Redirect("https://idp.example/?a=b"))])


@pytest.mark.parametrize(
    "outcome",
    [Redirect(None), Redirect(42), Redirect("x", status="302"), Redirect("x", status=999), Redirect("/\r\nSet-Cookie: a=b"), Redirect("/a\0b"),
     Redirect("/", cookies=("a=b\r\nX-Injected: c",)), Redirect("/", cookies=(1,)), Redirect("/", cookies=None), Redirect("/", data=None), Redirect("/", data={"a": object()}),
     Success("ann", cookies=("a=b\r\nX-Injected: c",)), Success("ann", cookies=(None,)), Success("ann", location=42), Success("ann", location="/\r\nSet-Cookie: a=b"), Fail(cookies=("a\nb",))],
    ids=named,
)  # fmt: skip
def test_an_outcome_that_cannot_be_sent_is_an_error_of_the_plugin(play, scripted, outcome):
    """Whatever the answer is, it can be written down: no exception behind the pipeline, no header of the plugin's choice."""

    async def scene(inside):
        await inside.user("ann")
        response = await inside.ask("auth:login", {}, strategy="scripted")
        assert response.error is not None
        assert response.status == 500

    play(scene, strategies=[scripted(outcome=outcome)])


def test_a_location_of_any_language_can_be_sent(play, scripted):
    async def scene(inside):
        sent = []

        async def send(message):
            sent.append(message)

        async def receive():
            return {"type": "http.request", "body": b"{}", "more_body": False}

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/_login/scripted",
            "raw_path": b"/_login/scripted",
            "query_string": b"",
            "headers": [],
            "client": ("127.0.0.1", 1),
            "scheme": "http",
        }
        await inside.host(scope, receive, send)
        headers = dict(sent[0]["headers"])
        assert sent[0]["status"] in (302, 500)
        assert all(header.isascii() for header in headers.values())

    play(scene, strategies=[scripted(outcome=Redirect("https://idp.example/grüß/日本?a=😀"))])


@pytest.mark.parametrize(
    "garbage",
    [object(), {1: 2}, {"a": object()}, {"a": "\ud800"}, {"a": float("nan")}, b"bytes"],
    ids=lambda each: repr(type(each)),
)
def test_a_result_that_is_no_json_is_an_error_of_the_plugin(play, scripted, garbage):
    import json

    async def scene(inside):
        ann = await inside.user("ann", "admin")

        async def info(_):
            return garbage

        strategy.info = info
        sent = []

        async def send(message):
            sent.append(message)

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        path = b"/_me/credentials/scripted"
        headers = [(b"authorization", b"Bearer " + ann.encode())]
        scope = {
            "type": "http",
            "method": "GET",
            "path": path.decode(),
            "raw_path": path,
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "scheme": "http",
        }
        await inside.host(scope, receive, send)
        body = json.loads(sent[1]["body"], parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        assert sent[0]["status"] == body["status"]
        if body["status"] != 200:
            assert body["error"]["id"] == FAILED

    strategy = scripted()
    play(scene, strategies=[strategy])


def test_success_of_the_anonymous_user_is_a_token_that_can_do_no_more(play, scripted):
    async def scene(inside):
        await inside.restrict()
        issued = await inside.result("auth:login", {}, strategy="scripted")
        assert issued["_id"] == "-1"
        assert await inside.error("server:now", token=issued["jwt"]) == "security.rights.unauthorized"

    play(scene, strategies=[scripted(outcome=Success("-1"))])


def test_no_strategy_of_that_name(play):
    async def scene(inside):
        for name in ("gone", "", "Local", "local\0", "__class__"):
            assert await inside.error("auth:login", {}, strategy=name) == "security.credentials.unknown_strategy"
        for bad in (1, [], {"local": 1}, True):
            assert await inside.error("auth:login", {}, strategy=bad) == "api.assert.invalid_type"
            assert await inside.error("auth:login", {"strategy": bad}) == "api.assert.invalid_type"

    play(scene)


def test_a_strategy_that_cannot_open_stops_the_start_by_name(play, scripted):
    class Broken(scripted):
        async def open(self):
            raise RuntimeError("the directory is gone")

    async def scene(_):
        pytest.fail("the host started")

    with pytest.raises(Exception, match="broken") as caught:
        play(scene, strategies=[Broken("broken")])
    from visado.plugins.manager import StartError
    from visado.storage.protocol import StorageError

    assert isinstance(caught.value, (StartError, StorageError)), "`visado serve` reports these two alone"
