from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from visado.arguments import Id
from visado.controller import Controller, action
from visado.request import Connection, Request

LOGIN = {"username": "ann", "password": "password"}
BAD_TOKEN = "kauth-x"
FOREIGN = {"origin": "https://evil.example", "same_origin": False}


def closed(scene, **given):
    """A host that is closed, with an administrator `root` and a user `ann`."""

    async def run(inside):
        inside.root = await inside.user("root", "admin")
        body = {"content": {"profileIds": ["default"]}, "credentials": {"local": LOGIN}}
        await inside.result("security:createUser", body, _id="ann")
        inside.ann = await inside.token("ann")
        await inside.restrict()
        return await scene(inside)

    return run


# From PROTOCOL.md 5: each step's fault, in order. A request with the faults of two steps gets the first one's error.
def faults(inside):
    return [
        ("controller", {"action": ":x"}, "api.assert.missing_argument"),
        ("action", {"action": "x:"}, "api.assert.missing_argument"),
        ("targets", {"targets": [], "index": "i"}, "api.assert.mutually_exclusive"),
        ("origin", {"connection": Connection(**FOREIGN)}, "api.process.unauthorized_origin"),
        ("stopping", {"stopping": True}, "api.process.shutting_down"),
        ("two tokens", {"cookie": inside.root, "token": inside.root}, "security.token.verification_error"),
        ("token", {"token": BAD_TOKEN}, "security.token.invalid"),
        ("rights", {"action": "server:now", "token": inside.ann}, "security.rights.forbidden"),
        ("unknown", {"action": "no:where", "token": inside.root}, "api.process.controller_not_found"),
        ("client", {"action": "security:getUser", "token": inside.root, "volatile": {"sdkVersion": "1"}}, "api.process.incompatible_sdk_version"),
        ("arguments", {"action": "security:getUser", "token": inside.root}, "api.assert.missing_argument"),
    ]  # fmt: skip


def test_each_fault_has_its_error_and_the_earlier_one_wins(play):
    async def scene(inside):
        steps = faults(inside)
        for first, (name, fault, error) in enumerate(steps):
            for _, later, _ in [("", {}, ""), *steps[first + 1 :]]:
                how = {"action": "server:now", "token": inside.root} | later | fault
                if "cookie" in how and name != "two tokens":
                    how["token"] = how.get("token") or inside.root
                inside.host.pipeline.stopping = how.pop("stopping", False)
                assert await inside.error(how.pop("action"), **how) == error, (name, later)
                inside.host.pipeline.stopping = False

    play(closed(scene), http={"allow_origins": ["https://good.example"]})


def test_whoever_may_not_is_not_told_what_exists(play):
    async def scene(inside):
        for token, error in [(None, "security.rights.unauthorized"), (inside.ann, "security.rights.forbidden")]:
            for name in ("no:where", "security:nothing", "security:getUser", "*:*", "auth:*"):
                assert await inside.error(name, token=token) == error

    play(closed(scene))


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("Security:getUser", "controller"), ("security\0:getUser", "controller"), ("__class__:x", "controller"), ("*:*", "controller"),
        ("security :getUser", "controller"), ("security:GetUser", "action"), ("security:getUser\0", "action"), ("security:__init__", "action"),
        ("security:*", "action"), ("security:get_user", "action"), ("security:actions", "action"), ("auth:login_", "action"),
    ],
)  # fmt: skip
def test_names_are_exact(play, name, error):
    async def scene(inside):
        response = await inside.ask(name, token=inside.root)
        assert (response.error.id, response.status) == (f"api.process.{error}_not_found", 404)

    play(closed(scene))


def test_a_user_has_its_requests_per_second(play):
    async def scene(inside):
        await inside.result(
            "security:createProfile",
            {"policies": [{"roleId": "default"}], "rateLimit": 5},
            _id="slow",
            token=inside.root,
        )
        ben = await inside.user("ben", "slow")
        answers = [await inside.error("auth:getCurrentUser", token=ben) for _ in range(8)]
        assert answers == [None] * 5 + ["api.process.too_many_requests"] * 3
        assert await inside.error("auth:getCurrentUser", token=inside.root) is None
        inside.clock.now += 999
        assert await inside.error("auth:getCurrentUser", token=ben) == "api.process.too_many_requests"
        inside.clock.now += 1
        assert await inside.error("auth:getCurrentUser", token=ben) is None
        for _ in range(10):
            await inside.ask("auth:getCurrentUser", token=ben)
        assert await inside.error("auth:logout", token=ben) is None

    play(closed(scene))


def test_a_refusal_counts_no_request_of_another(play):
    async def scene(inside):
        for _ in range(300):
            assert await inside.error("server:now") == "security.rights.unauthorized"
        for _ in range(200):
            assert await inside.error("auth:getCurrentUser") is None
        assert await inside.error("auth:getCurrentUser") == "api.process.too_many_requests"
        assert await inside.error("auth:login", LOGIN) is None

    play(closed(scene))


def test_a_clock_that_goes_back_locks_nobody_out(play):
    async def scene(inside):
        await inside.result(
            "security:createProfile",
            {"policies": [{"roleId": "default"}], "rateLimit": 1},
            _id="slow",
            token=inside.root,
        )
        ben = await inside.user("ben", "slow")
        assert await inside.error("auth:getCurrentUser", token=ben) is None
        inside.clock.now -= 3_600_000
        await inside.ask("auth:getCurrentUser", token=ben)
        inside.clock.now += 2_000
        assert await inside.error("auth:getCurrentUser", token=ben) is None

    play(closed(scene))


def test_a_socket_has_its_logins_per_second_and_http_has_none(play):
    async def scene(inside):
        socket, other = Connection("websocket"), Connection("websocket")
        bad = {**LOGIN, "password": "wrong"}
        assert await inside.error("auth:login", bad, connection=socket) == "plugin.strategy.missing_user"
        response = await inside.ask("auth:login", LOGIN, connection=socket)
        assert (response.error.id, response.status) == ("api.process.too_many_logins_requests", 429)
        assert await inside.error("auth:login", LOGIN, connection=other) is None
        inside.clock.now += 1_000
        assert await inside.error("auth:login", LOGIN, connection=socket) is None
        for _ in range(3):
            assert await inside.error("auth:login", LOGIN) is None

    play(closed(scene))


@pytest.mark.parametrize(
    ("volatile", "refused"),
    [
        ({"sdkVersion": "7.0.0"}, True), ({"sdkName": "js@6.9"}, True), ({"sdkName": "js@7.10.1"}, False), ({"sdkName": "js@8"}, False),
        ({"sdkName": "csharp@1"}, True), ({"sdkName": "csharp@2"}, False), ({"sdkName": "cpp@1"}, True), ({"sdkName": "java@2"}, True),
        ({"sdkName": "java@3"}, False), ({"sdkName": "android@4"}, True), ({"sdkName": "go@2"}, True), ({"sdkName": "php@3"}, True),
        ({"sdkName": "php@4"}, False), ({"sdkName": "mine@0"}, False), ({"sdkName": "js"}, True), ({"sdkName": 7}, False), ({}, False), (None, False),
        ({"sdkName": ["js@1"]}, False), ({"sdkVersion": ""}, False), ({"sdkName": "js@10.0.0"}, True),
    ],
)  # fmt: skip
def test_clients_that_speak_an_older_protocol(play, volatile, refused):
    async def scene(inside):
        assert await inside.error("auth:getCurrentUser", volatile=volatile) == (
            "api.process.incompatible_sdk_version" if refused else None
        )

    play(scene)


def test_more_at_once_than_the_host_takes_are_refused(play, scripted):
    async def wait(_):
        await gate.wait()

    async def scene(inside):
        nonlocal gate
        gate = asyncio.Event()
        tasks = [asyncio.create_task(inside.ask("auth:login", {}, strategy="slow")) for _ in range(12)]
        for _ in range(20):
            await asyncio.sleep(0)
        assert await inside.error("server:now") == "api.process.overloaded"
        gate.set()
        assert Counter(response.status for response in await asyncio.gather(*tasks)) == {500: 10, 503: 2}
        assert await inside.error("server:now") is None

    gate = None
    play(scene, strategies=[scripted("slow", outcome=wait)], limits={"requests_in_flight": 10})


def test_the_pipeline_never_raises(play):
    class Bad(Controller):
        name = "bad"

        @action()
        async def fail(self, request: Request) -> None:
            """Fail."""
            raise problem

    async def scene(inside):
        nonlocal problem
        (found,) = Bad().actions()
        inside.host.table._actions["bad"] = {"fail": found}
        for problem in (
            ValueError("canary"),
            SystemExit(1),
            RecursionError(),
            MemoryError(),
            TimeoutError(),
            asyncio.CancelledError(),
        ):
            (response,) = await asyncio.gather(asyncio.create_task(inside.ask("bad:fail")), return_exceptions=True)
            assert not isinstance(response, BaseException), repr(problem)
            assert (response.status, response.error.id) == (500, "plugin.runtime.unexpected_error")
            assert "canary" not in str(response.error.as_dict())
        assert inside.host.metrics.in_flight == 0

    problem = None
    play(scene)


def test_an_action_that_requires_a_login_refuses_anonymous_requests_after_their_arguments_were_read(play):
    class Private(Controller):
        name = "private"

        @action(login_required=True)
        async def show(self, request: Request, id: Id) -> str:
            """Return the user and the argument."""
            return f"{request.user.id} {id}"

    async def scene(inside):
        (declared,) = Private().actions()
        inside.host.table._actions["private"] = {"show": declared}
        root = await inside.user("root", "admin")
        assert await inside.error("private:show") == "api.assert.missing_argument"
        assert await inside.error("private:show", _id="x") == "security.rights.unauthorized"
        assert await inside.result("private:show", _id="x", token=root) == "root x"

    play(scene)


def test_no_line_of_the_log_is_the_clients(play, caplog):
    """A request id, an action and a strategy name are a client's words: none may begin a line of the log."""

    class Bad(Controller):
        name = "bad"

        @action()
        async def fail(self, request: Request) -> None:
            """Fail."""
            raise ValueError

    async def scene(inside):
        (found,) = Bad().actions()
        inside.host.table._actions["bad"] = {"fail": found}
        request = Request("x\nFORGED \x1b[2J", "bad", "fail", {})

        async def decoded():
            return request

        assert (await inside.host.pipeline.run(decoded())).status == 500
        await inside.ask("auth:login", {}, strategy="x\nFORGED \x1b[2J")

    play(scene)
    assert caplog.records
    for record in caplog.records:
        assert "\nFORGED" not in record.getMessage()
        assert "\x1b" not in record.getMessage()


def test_what_a_caller_may_is_the_same_in_the_answer_as_in_the_check(play):
    """`checkRights` and `getMyRights` say what the pipeline does, from afar too."""

    async def scene(inside):
        far = Connection(loopback=False)
        body = {"controller": "server", "action": "now"}
        for connection in (Connection(), far):
            allowed = (await inside.ask("server:now", connection=connection)).status == 200
            asked = await inside.ask("auth:checkRights", body, connection=connection)
            assert (asked.error is None and asked.reply.result["allowed"]) is allowed
            hits = (await inside.result("auth:getMyRights", connection=connection))["hits"]
            assert any(hit["controller"] == "*" for hit in hits) is allowed

    play(scene)
    play(scene, security={"open_bootstrap": True})


def test_a_form_of_another_site_is_refused_unless_somebody_expects_it(play):
    form = Connection(origin="https://idp.example", same_origin=False, cross_site_form=True)
    foreign = Connection(origin="https://idp.example", same_origin=False)
    own = Connection(origin="https://auth.example", same_origin=True)
    refusal = "api.process.unauthorized_origin"

    async def scene(inside):
        pipeline, asked = inside.host.pipeline, []

        def may_post(request):
            asked.append((request.controller, request.action, request.connection.origin))
            return request.action == "now"

        assert await inside.error("server:now", connection=form) == refusal
        assert await inside.error(":", connection=form) == refusal  # the first fault of all
        assert await inside.error("server:now", connection=foreign) == refusal
        assert await inside.error("server:now", connection=own) is None
        pipeline._may_post = may_post
        assert await inside.error("server:now", connection=own) is None
        assert asked == []
        for connection in (form, foreign):
            assert await inside.error("server:now", connection=connection) is None
            assert await inside.error("auth:getCurrentUser", connection=connection) == refusal
        assert asked[0] == ("server", "now", "https://idp.example")
        assert await inside.error("server:now", connection=form, cookie=await inside.user("ann", "admin")) == refusal

    play(scene, http={"allow_origins": ["https://good.example"]})
