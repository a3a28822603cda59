"""A real host, and a host in this process whose clock the tests move."""

import asyncio

import pytest
from visado import Query
from visado_kit import HOSTILE_VALUES, Clock, build_host, serve

REFUSED = "plugin.strategy.missing_user"
DAY = 86_400


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("host")) as host:
        host.admin = host.create_admin()
        yield host


def login(host, token=None, **body):
    return host.query("auth:login", strategy="guest", body=body, token=token)


def me(host, response):
    return host.request("GET", "/_me", token=response.result["jwt"]).result


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "Ann"}])
def test_makes_a_user(host, body):
    first, second = login(host, **body), login(host, **body)
    assert first.result["_id"] != second.result["_id"]
    assert me(host, first)["_source"].get("name", "") == body.get("name", "")
    assert me(host, first)["_source"]["profileIds"] == ["default"]


def test_logs_in_over_a_websocket(host):
    with host.socket() as socket:
        response = login(socket, name="Max")
        assert socket.query("auth:getCurrentUser", token=response.result["jwt"]).result["_source"]["name"] == "Max"


def test_comes_back_with_its_secret(host):
    first = login(host, name="Ann")
    again = login(host, guest=first.result["guest"], name="Eve")
    assert again.result["_id"] == first.result["_id"]
    assert me(host, again)["_source"]["name"] == "Ann"


def test_hostile_names_and_secrets(host):
    for value in ("a" * 41, "a\nb", 7, [], {}, True, *HOSTILE_VALUES):
        try:
            named, secret = login(host, name=value), login(host, guest=value)
        except ValueError:  # JSON cannot say it
            continue
        assert named.status in (400, 401) or me(host, named)["_source"].get("name", "") == value
        assert secret.status in (400, 401) or not value, secret.body


def test_a_guest_cannot_choose_its_content(host):
    response = login(host, name="Eve", profileIds=["admin"], seen=2**60, subject="x")
    assert me(host, response)["_source"].keys() == {"name", "profileIds", "_kuzzle_info"}


def test_a_user_becomes_no_guest(host):
    secret = login(host).result["guest"]
    assert login(host, token=host.admin, guest=secret).error_id == REFUSED
    assert login(host, token=host.admin).error_id == REFUSED
    assert host.request("POST", "/_me/credentials/guest/_link", {}, token=host.admin).status == 401
    assert host.request("GET", "/_me", token=host.admin).result["strategies"] == ["local"]


def test_a_link_logs_nobody_in(host):
    assert host.request("GET", "/_login/guest?cookieAuth=true").status == 401


def test_who_stays_away_is_deleted(tmp_path):
    async def main():
        clock = Clock()
        async with build_host(tmp_path, {}, clock) as host:
            await host.open()
            absence = host.strategies["guest"].absence

            async def login(**body):
                return (await host.run("auth:login", body, strategy="guest")).reply.result

            gone, stays, grown = [await login(name=name) for name in ("gone", "stays", "grown")]
            credentials = {"username": "grown", "password": "a long enough password"}
            await host.run("security:createCredentials", credentials, strategy="local", _id=grown["_id"])
            clock.advance(30 * DAY)
            await absence.delete()
            assert await host.users.get(gone["_id"]) is not None
            assert (await login(guest=stays["guest"]))["_id"] == stays["_id"]

            clock.advance(1)
            await absence.delete()
            assert await host.users.get(gone["_id"]) is None
            assert (await host.run("auth:login", {"guest": gone["guest"]}, strategy="guest")).error.id == REFUSED
            assert await host.users.get(stays["_id"]) is not None
            clock.advance(31 * DAY)
            await absence.delete()
            assert await host.users.get(stays["_id"]) is None
            assert await host.users.get(grown["_id"]) is not None
            [left] = (await host.credentials.search("guest", Query())).hits
            assert left[1]["userId"] == grown["_id"]

    asyncio.run(main())


def test_no_token_outlives_its_guest(host):
    response = login(host)
    shown = host.query("auth:checkToken", body={"token": response.result["jwt"]}).result
    assert shown["valid"]
    longest = host.query("auth:login", strategy="guest", body={}, expiresIn="365d")
    assert longest.result["ttl"] <= 30 * DAY * 1_000
