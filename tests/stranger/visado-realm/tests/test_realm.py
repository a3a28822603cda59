import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from visado_kit import HOSTILE_VALUES, build_host, serve

CONFIG = """
[realm]
kind = "door"
setting = "domain"
[realm.domains]
"ACME.example" = "acme"
"slow.example" = "slow"
"self.example" = "realm"
"ping.example" = "ping"
"chain.example" = "everybody"
[limits]
logins_per_second = 100
[chain.everybody]
strategies = ["realm", "local"]
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    props = os.pathsep.join([str(Path(__file__).parent / "props"), os.environ.get("PYTHONPATH", "")])
    with serve(tmp_path_factory.mktemp("host"), config=CONFIG, environment={"PYTHONPATH": props}) as host:
        host.admin = host.create_admin()
        for name in ("ann", "bob", "local"):
            credentials = {"local": {"username": f"{name}@home.example", "password": "a long enough password"}}
            content = {"profileIds": ["default"], **({"pin": "1234"} if name == "bob" else {})}
            body = {"content": content, "credentials": credentials}
            assert host.query("security:createUser", _id=name, body=body, token=host.admin).status == 200
        for name, settings in {
            "acme": {"user": "ann"},
            "sales": {"user": "bob", "domain": "sales.example"},
        }.items():
            body = {"kind": "door", "settings": settings}
            answer = host.query("security:createStrategy", strategy=name, body=body, token=host.admin)
            assert answer.status == 200, answer.body
        yield host


def login(host, username, password="mellon", **more):
    return host.query("auth:login", strategy="realm", body={"username": username, "password": password, **more})


def test_the_setting_maps_a_domain(host):
    assert login(host, "ann@acme.example").result["_id"] == "ann"
    assert login(host, "x@y@Acme.Example").result["_id"] == "ann"
    assert login(host, "ann@acme.example", "wrong").error_id == "plugin.strategy.missing_user"
    with host.socket() as socket:
        assert login(socket, "ann@acme.example").result["_id"] == "ann"


def second_factor(client, at):
    response = login(client, "bob@sales.example")
    assert response.error_id == "security.login.challenged"
    body = {"challenge": response.result["challenge"]["reference"], "pin": "1234"}
    return client.query("auth:login", strategy=at or response.result["challenge"]["strategy"], body=body)


def test_an_added_strategy_is_found_and_a_second_factor_is_asked(host):
    assert second_factor(host, None).result["_id"] == "bob"
    with host.socket() as socket:
        assert second_factor(socket, None).result["_id"] == "bob"


def test_a_second_factor_is_answered_where_the_login_began(host):
    assert second_factor(host, "realm").status == 200


def test_others_are_local(host):
    assert login(host, "ann@home.example", "a long enough password").result["_id"] == "ann"
    for name in ("ann", "ann@", "@", "@acme.example.", "ann@acme.example "):
        assert login(host, name, "a long enough password").error_id == "plugin.strategy.missing_user"


def test_a_challenge_and_a_redirect_pass(host):
    response = login(host, "ann@acme.example", "ask")
    reference = response.result["challenge"]["reference"]
    wrong = host.request("POST", "/_login/realm", {"challenge": reference, "word": "foe"})
    assert wrong.status == 401, wrong.body
    right = host.request("POST", "/_login/realm", {"challenge": reference, "word": "friend"})
    assert right.result["_id"] == "ann", right.body
    away = login(host, "ann@acme.example", "away")
    assert (away.status, away.result["headers"]["Location"][:28]) == (302, "https://idp.example/?state=k"), away.body


def test_hostile_names_fail(host):
    for value in HOSTILE_VALUES:
        for body in ({"username": value, "password": "x"}, {"username": "ann@acme.example", "password": value}):
            try:
                response = host.query("auth:login", strategy="realm", body=body)
            except ValueError:
                continue
            assert response.status in (400, 401), response.body
    for value in HOSTILE_VALUES:
        if isinstance(value, str):
            try:
                response = login(host, "ann@" + value)
            except ValueError:
                continue
            assert response.status in (400, 401), response.body
    for body in (None, [], [1]):
        assert host.query("auth:login", strategy="realm", body=body).status in (400, 401)


def test_a_realm_of_its_own_name_fails(host):
    assert login(host, "ann@self.example", "a long enough password").error_id == "plugin.strategy.missing_user"


def test_a_domain_without_a_strategy_fails(tmp_path):
    async def main():
        async with build_host(tmp_path, {"realm": {"domains": {"typo.example": "nowhere"}}}) as host:
            await host.open()
            body = {"username": "ann@typo.example", "password": "a long enough password"}
            assert (await host.run("auth:login", body, strategy="realm")).error.id == "plugin.strategy.missing_user"
            assert "nowhere" in host.strategies["realm"].problem()

    asyncio.run(main())


@pytest.mark.parametrize("domain", ["ping.example", "chain.example"])
def test_a_circle_ends(host, domain):
    start = time.monotonic()
    response = login(host, f"ann@{domain}", "a long enough password")
    assert response.status in (401, 500, 503)
    assert time.monotonic() - start < 2
    with ThreadPoolExecutor(80) as pool:
        answers = list(pool.map(lambda _: login(host, f"ann@{domain}"), range(200)))
    assert {each.status for each in answers} <= {401, 500, 503}
    assert login(host, "ann@acme.example").status == 200


def test_within_the_limits_of_the_strategy(host):
    start = time.monotonic()
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: login(host, "ann@slow.example"), range(5)))
    assert {a.error_id for a in answers} <= {"plugin.strategy.timeout", "api.process.overloaded"}
    assert time.monotonic() - start < 3


def test_hidden_strategies_are_not_listed(host):
    forms = [form["strategy"] for form in host.request("GET", "/_loginForms").result]
    assert "realm" in forms and not {"acme", "sales", "slow", "ping"} & {*forms}, forms


def test_removed_strategies_are_forgotten(host):
    assert host.query("security:deleteStrategy", strategy="sales", token=host.admin).status == 200
    assert login(host, "bob@sales.example").error_id == "plugin.strategy.missing_user"
