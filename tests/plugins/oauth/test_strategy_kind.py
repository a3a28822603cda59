"""Providers that are added while the host runs, a real one and a hostile one."""

from __future__ import annotations

import asyncio

import pytest

from tests.ports import free_port
from tests.waiting import until_async
from visado import Actor, Redirect, Success, errors
from visado.events import Observer, TokensRevoked
from visado_kit.live import LiveHost

from . import hostile
from .in_process import provider, settings, staged
from .live_setup import BASIC_SECRET, OidcProvider, need
from .test_host import _enter_code, _inputs
from .test_sessions import logout_token


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A host without providers in its settings, and a provider that has registered it."""
    need("node")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    openid = OidcProvider(callbacks=[f"{url}/_login/late", f"{url}/_login/other"], backchannel=f"{url}/_login/late")
    config = f'[server]\npublic_url = "{url}"\n[oauth]\nhttp_on_loopback = true\n'
    host = LiveHost(tmp_path_factory.mktemp("empty"), config=config)
    host.port = port
    host.start()
    try:
        yield host, openid
    finally:
        host.stop()
        openid.close()


def given(issuer, **more):
    return {"issuer": issuer, "client_id": "basic", "client_secret": BASIC_SECRET, **more}


def add(host, name, provider_settings):
    body = {"kind": "oauth", "settings": provider_settings}
    return host.query("security:createStrategy", strategy=name, body=body)


def test_an_added_provider_does_all_that_a_configured_one_does(empty, browser, other_browser):
    host, openid = empty
    assert host.request("POST", "/_login/late", {}).error_id == "security.credentials.unknown_strategy"
    assert not (host.folder / "data" / "oauth-secret").exists()
    made = add(host, "late", given(openid.issuer, logout=["end_session"], default_profiles=["admin"]))
    assert made.status == 200, made
    assert (made.result["plugin"], made.result["problem"]) == ("oauth", None)
    assert made.result["settings"]["client_secret"] == "**********"
    assert BASIC_SECRET not in str(host.query("security:getStrategy", strategy="late").body)

    start = f"{host.url}/_login/late"
    first = browser.log_in(start, "ann", host.url).json()["result"]
    assert other_browser.log_in(start, "ann", host.url).json()["result"]["_id"] == first["_id"]
    kept = host.request("DELETE", "/_me/credentials/late", token=first["jwt"])
    assert (kept.status, kept.error_id) == (412, "oauth.credentials.last")
    logout = host.query("auth:logout", token=first["jwt"])
    assert logout.result["location"].startswith(f"{openid.issuer}/session/end?client_id=basic")

    local = {"local": {"username": "hal", "password": "pw"}}
    body = {"content": {"profileIds": ["admin"]}, "credentials": local}
    assert host.query("security:createUser", _id="hal", body=body).status == 200
    token = host.login("hal", "pw")
    fresh = browser.open_other()
    bearer = {"authorization": f"Bearer {token}"}
    begun = fresh.client.post(f"{host.url}/_me/credentials/late/_link", headers=bearer, json={}).json()["result"]
    assert fresh.client.get(fresh.prove(begun["location"], "hal-there", host.url)).json()["result"]["_id"] == "hal"
    assert host.request("DELETE", "/_me/credentials/late", token=token).status == 200

    device = host.request("POST", "/_login/late", {"device": True}).result["challenge"]
    _enter_code(browser.open_other(), device["data"]["location"], "nat")
    assert host.request("POST", "/_login/late", {"challenge": device["reference"]}).status == 200

    mia = browser.open_other()
    result = mia.log_in(start, "mia", host.url).json()["result"]
    page = mia.client.get(f"{openid.issuer}/session/end", params={"client_id": "basic"})
    mia.client.post(f"{openid.issuer}/session/end/confirm", data={**dict(_inputs(page.text)), "logout": "yes"})
    assert host.request("GET", "/_me", token=result["jwt"]).status == 401

    host.kill()
    host.start()
    assert browser.open_other().log_in(start, "ann", host.url).json()["result"]["_id"] == first["_id"]
    assert host.query("security:deleteStrategy", strategy="late").status == 200
    assert host.request("POST", "/_me/credentials/late/_link", {}, token=token).status == 400
    assert BASIC_SECRET not in host.log


def test_settings_that_would_not_work_are_rejected_with_the_reason(empty):
    host, openid = empty
    for name, wrong, words in (
        ("other", {"client_secret": None}, "client_secret or client_secret_file is required"),
        ("other", {"issuer": None, "provider": "nowhere"}, "nowhere"),
        ("other", {"issuer": openid.issuer + "/elsewhere"}, "discovery: "),
        ("other", {"issuer": "http://127.0.0.1:1"}, "discovery: "),
        ("other", {"issuer": "https://id:canary@example.com"}, "must not contain a user name"),
        ("other", {"client_id": "nobody"}, "redirect: the provider responds with 400"),
        ("stranger", {}, "registered there?"),
        ("other", {"token_auth": "canary"}, "settings.token_auth: "),
        ("other", {"identifier": "email"}, "settings.identifier: "),
    ):
        changed = {key: value for key, value in (given(openid.issuer) | wrong).items() if value is not None}
        refused = add(host, name, changed)
        assert (refused.status, refused.error_id) == (400, "security.strategy.rejected"), refused
        assert words in refused.body["error"]["message"], refused.body
        for text in (str(refused.body), host.log):
            assert BASIC_SECRET not in text
            assert "canary" not in text
        assert host.query("security:getStrategy", strategy=name).status == 400


@pytest.fixture
def shady():
    made = hostile.Hostile()
    yield made
    made.close()


@pytest.fixture
def play(tmp_path):
    def run(scene, given):
        async def main():
            async with staged(tmp_path, given) as stage:
                return await scene(stage)

        return asyncio.run(main())

    return run


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token"])
def test_a_provider_that_hangs_is_rejected_in_time(play, shady, path):
    shady.modes = {path: "hang"}

    async def scene(stage):
        with pytest.raises(errors.StrategyRejected, match="did not respond within 1"):
            await stage.host.security.added_strategies.add("oauth", "late", provider(shady.issuer))
        assert "late" not in stage.host.security.strategies

    play(scene, settings({}))


def test_a_provider_that_is_changed_or_removed_closes_everything(play, shady):
    shady.modes = {"/authorize": "redirect"}  # to its login page

    def at_work():
        return [each for each in asyncio.all_tasks() if "visado_oauth" in repr(each)]

    async def scene(stage):
        for _ in range(5):
            await stage.host.security.added_strategies.add("oauth", "late", provider(shady.issuer))
            assert isinstance(await stage.ask(name="late"), Redirect)
            await stage.host.security.added_strategies.update("late", {"persist": ["email"]})
            assert at_work()
            await stage.host.security.added_strategies.remove("late")
        await until_async(lambda: not at_work())  # then nothing is left that could ask the provider

    play(scene, settings({}))


@pytest.mark.parametrize("preset", ["strict", "compatible"])
def test_under_the_strict_preset_a_change_revokes_the_other_tokens(play, shady, preset):
    async def scene(stage):
        host, ended = stage.host, preset == "strict"
        for change in ("update", "update by an administrator", "delete"):
            user = await host.security.users.create({"profileIds": ["default"]}, change.replace(" ", "-"))
            await stage.strategy().create(user.id, {"sub": f"{change} 1"}, Actor("administrator"))
            own, other = [await host.security.tokens.create(user.id) for _ in range(2)]
            request = stage.request(user=None if "administrator" in change else user.id)
            by = Actor("administrator", request)
            if request.user.id == user.id:
                request.token = own.token
            if change == "delete":
                await stage.strategy().delete(user.id, by)
            else:
                await stage.strategy().update(user.id, {"sub": f"{change} 2"}, by)
            alive = [bool(await _verified(host, each.text)) for each in (own, other)]
            assert alive == [not ended or "administrator" not in change, not ended], change

    given = settings({"shady": provider(shady.issuer)}) | {"security": {"preset": preset}}
    play(scene, given)


async def _verified(host, text):
    try:
        return await host.security.tokens.verify(text)
    except errors.InvalidToken:
        return None


def test_observers_learn_which_provider_revoked_tokens(play, shady):
    class Ear(Observer):
        async def observe(self, event):
            pass

    async def scene(stage):
        stage.host.security.observers.add(Ear(), "ear")
        found = await stage.log_in(lambda nonce: hostile.code("sub-1", nonce))
        assert isinstance(found, Success)
        request = stage.request(body={"logout_token": logout_token(shady)})
        await stage.strategy().authenticate(request)
        assert list(request.events) == [TokensRevoked(target=found.who, strategy="shady")]

    play(scene, settings({"shady": provider(shady.issuer)}))
