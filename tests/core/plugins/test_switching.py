"""Plugins that administrators disable and enable while the host runs."""

from __future__ import annotations

import pytest

from tests.core.added import KIND, SECRET, create, get
from tests.core.throwaway import put
from visado_kit.live import serve

EVERYTHING = (
    KIND
    + """
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from visado import *
from visado import hookimpl

class Check(LoginCheck):
    name = "gate"
    async def check(self, login):
        if login.request.fields.get("block"):
            import time; time.sleep(60)  # subject: a login check that blocks
        return Accept() if login.request.fields.get("pass") else Fail("the gate is shut")

class Ear(Observer):
    async def observe(self, event):
        logging.getLogger("word").warning("heard %s of %s", event.kind, event.target)

class Zoo(Controller):
    name = "zoo"
    @action(get("/zoo"))
    async def look(self, request):
        \"\"\"Look.\"\"\"
        return "a lion"

class Opened(Word):
    opened = False
    async def open(self): self.opened = True
    async def authenticate(self, request):
        return await super().authenticate(request) if self.opened else Fail("never opened")

async def page(request): return PlainTextResponse("a page")

@hookimpl
def register_strategies(host): return [Opened("fixed", Words(word="xyzzy-canary"), host.credentials)]

@hookimpl
def register_login_checks(): return [Check()]

@hookimpl
def register_observers(): return [Ear()]

@hookimpl
def register_controllers(): return [Zoo()]

@hookimpl
def register_routes(): return [Route("/page", page)]
"""
)


@pytest.fixture
def zoo(word, tmp_path):
    """A host with a plugin that brings one of everything, and the users melis and najada."""
    (tmp_path / "site" / "visado_word.py").write_text(EVERYTHING)
    host = word.start()
    for user in ("melis", "najada"):
        own = {"local": {"username": user, "password": "pw"}, "fixed": {"subject": user}}
        body = {"content": {"profileIds": ["default"]}, "credentials": own}
        assert host.query("security:createUser", _id=user, body=body).status == 200
    assert create(host, "added").status == 200
    return host


def enter(host, strategy, **fields):
    return host.query("auth:login", strategy=strategy, body={"word": SECRET, "pass": True, **fields})


def is_on(host, socket):
    """What of the plugin is there, over HTTP and over an open socket: all of it or nothing."""
    local = {"username": "melis", "password": "pw"}
    before = host.log.count("heard login")
    statuses = {
        "route": host.request("GET", "/page").status == 200,
        "action": host.query("zoo:look").status == 200,
        "action's route": host.request("GET", "/zoo").status == 200,
        "action over the socket": socket.query("zoo:look").status == 200,
        "strategy": enter(host, "fixed").status == 200,
        "strategy over the socket": socket.query(
            "auth:login", strategy="fixed", body={"word": SECRET, "pass": 1}
        ).status
        == 200,
        "added strategy": enter(host, "added").status == 200,
        "login check": host.query("auth:login", strategy="local", body=local).status == 401,
        "login check over the socket": socket.query("auth:login", strategy="local", body=local).status == 401,
        "observer": host.log.count("heard login") > before,
        "kind": "word" in host.query("security:listPlugins").result["kinds"],
        "description": "/zoo" in host.request("GET", "/_openapi").body["paths"],
        "listed": {"fixed", "added"} <= set(socket.query("auth:getStrategies").result),
    }
    assert len(set(statuses.values())) == 1, statuses
    return statuses["route"]


def test_a_plugin_that_is_switched_off_is_gone_on_the_next_request_and_back_after(zoo):
    with zoo.socket() as socket:
        assert is_on(zoo, socket)
        off = zoo.request("POST", "/plugins/word/_disable")
        assert (off.status, off.result["state"]) == (200, "disabled")
        assert not is_on(zoo, socket)
        assert enter(zoo, "fixed").error_id == "security.credentials.unknown_strategy"
        assert get(zoo, "added").error_id == "security.credentials.unknown_strategy"
        assert zoo.query("security:disablePlugin", plugin="word").status == 200
        assert zoo.request("POST", "/plugins/word/_enable").result["state"] == "active"
        assert is_on(zoo, socket)
        zoo.query("security:disablePlugin", plugin="word")
    zoo.kill()
    zoo.start()
    with zoo.socket() as socket:
        assert not is_on(zoo, socket)
        shown = zoo.query("security:listPlugins").result["plugins"]["word"]
        assert (shown["state"], shown["reason"]) == ("disabled", "by an administrator")
        zoo.query("security:enablePlugin", plugin="word")
        assert is_on(zoo, socket)


def test_a_chain_goes_on_without_the_strategies_of_a_plugin_that_is_off(word, tmp_path):
    (tmp_path / "visado.toml").write_text('[chain.both]\nstrategies = ["fixed", "local"]\n')
    (tmp_path / "site" / "visado_word.py").write_text(EVERYTHING)
    host = word.start()
    own = {"local": {"username": "melis", "password": "pw"}}
    body = {"content": {"profileIds": ["default"]}, "credentials": own}
    host.query("security:createUser", _id="melis", body=body)
    local = {"username": "melis", "password": "pw", "pass": True}
    assert [enter(host, "both", **each).status for each in ({}, local | {"word": "wrong"})] == [200, 200]
    host.query("security:disablePlugin", plugin="word")
    assert [enter(host, "both", **each).status for each in ({"username": "x", "password": "y"}, local)] == [401, 200]


def test_the_host_refuses_to_go_without_what_it_needs(tmp_path):
    config = '[plugins]\nrequired = ["word"]\ndisabled = ["ldap"]\n'
    site = put(tmp_path / "site", "word", KIND)
    put(site, "bad", "import nowhere_to_be_found")
    with serve(tmp_path, config=config, environment={"PYTHONPATH": str(site)}) as host:
        for action, plugin, status, error in (
            ("disable", "word", 412, "plugin.switch.needed"),
            ("disable", "tinydb", 412, "plugin.switch.needed"),
            ("disable", "nothing", 404, "plugin.switch.not_found"),
            ("enable", "nothing", 404, "plugin.switch.not_found"),
            ("enable", "bad", 412, "plugin.switch.absent"),
            ("enable", "ldap", 412, "plugin.switch.absent"),
        ):
            found = host.query(f"security:{action}Plugin", plugin=plugin)
            assert (found.status, found.error_id) == (status, error), plugin
        assert create(host, "still-there").status == 200


def test_users_leave_no_rows_in_a_strategy_that_is_off_and_tokens_live_on(zoo):
    token = enter(zoo, "fixed").result["jwt"]
    zoo.query("security:disablePlugin", plugin="word")
    assert zoo.query("auth:getCurrentUser", token=token).result["strategies"] == ["local"]
    assert zoo.query("security:deleteUser", _id="najada").status == 200
    zoo.query("security:createUser", _id="najada", body={"content": {"profileIds": ["default"]}})
    assert zoo.query("security:revokeTokens", _id="melis").status == 200
    assert zoo.query("auth:getCurrentUser", token=token).status == 401
    zoo.query("security:enablePlugin", plugin="word")
    has = [zoo.query("security:hasCredentials", strategy="fixed", _id=user).result for user in ("melis", "najada")]
    assert has == [True, False]


def test_a_login_check_in_quarantine_lets_no_login_through_and_one_that_is_off_all(zoo):
    assert enter(zoo, "fixed", block=True).status == 504
    assert zoo.query("security:listPlugins").result["plugins"]["word"]["state"] == "quarantined"
    local = {"username": "melis", "password": "pw", "pass": True}
    refused = zoo.query("auth:login", body=local)
    assert refused.status >= 500
    assert refused.result is None
    zoo.query("security:disablePlugin", plugin="word")
    assert zoo.query("auth:login", body=local).status == 200
    zoo.query("security:enablePlugin", plugin="word")
    assert zoo.query("auth:login", body=local).status == 200
    assert zoo.query("auth:login", body=local | {"pass": False}).status == 401
