"""Token verifiers in a real host: the example of the documentation, a proxy's header and Basic."""

from __future__ import annotations

import base64
import subprocess
import sys

import pytest

from tests.core.security.tokens.issuer import HEADERS, URL, Issuer, example
from tests.core.throwaway import put
from visado_kit.live import LiveHost

INVALID = "security.token.invalid"
TWO = "security.token.verification_error"
ME = "auth:getCurrentUser"


@pytest.fixture(scope="module")
def issuer():
    running = Issuer()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def host(tmp_path_factory, issuer):
    folder = tmp_path_factory.mktemp("verifiers")
    site = put(put(folder / "site", "issuer", example()), "proxied", HEADERS)
    config = f'[issuer]\nurl = "{URL}"\nkeys = "{issuer.keys}"\naudience = "visado"\n'
    config += '[server]\ntrusted_proxies = ["127.0.0.1"]\n[http]\ncookie_origins = ["https://friend.example"]\n'
    running = LiveHost(folder, config=config, environment={"PYTHONPATH": str(site)}).start()
    try:
        running.admin = running.create_admin()
        for profile in ("default", "anonymous"):
            changed = running.query("security:updateProfile", token=running.admin, _id=profile, body={"rateLimit": 0})
            assert changed.error_id is None
        running.query(
            "security:createUser", token=running.admin, _id="ann", body={"content": {"profileIds": ["default"]}}
        )
        running.query(
            "security:createUser", token=running.admin, _id="bob", body={"content": {"profileIds": ["default"]}}
        )
        yield running
    finally:
        running.stop()


def me(host, **given):
    """Return the id of the user of a request, or the error."""
    response = host.request("GET", "/_me", **given)
    return response.error_id or response.result["_id"]


def behind(name, **more):
    return {"headers": {"X-Forwarded-User": name, **more}}


def basic(name, password=None):
    text = f"{name}:{password or f'password of {name}'}"
    return {"headers": {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}}


def test_a_token_of_the_issuer_is_a_user_over_http_and_websocket(host, issuer):
    token = issuer.token()
    response = host.request("GET", "/_me", token=token)
    assert response.result["_source"]["email"] == "ada@example.com"
    assert me(host, token=issuer.token(exp=2_000_000_000)) == response.result["_id"]
    assert host.query(ME, token=token).result["_id"] == response.result["_id"]
    with host.socket() as socket:
        assert socket.query(ME, token=token).result["_id"] == response.result["_id"]
        assert socket.query(ME).result["_id"] == "-1"
    assert issuer.fetched == 1


def test_forged_tokens_are_refused(host, issuer):
    forgeries = dict(issuer.forgeries())
    assert len(forgeries) == 31
    with host.socket() as socket:
        for what, token in forgeries.items():
            assert me(host, token=token) == INVALID, what
            assert socket.query(ME, token=token).error_id == INVALID, what
            assert host.query("auth:checkToken", body={"token": token}).result["valid"] is False, what


@pytest.mark.parametrize("text", ["\xe9\xff.b.c", "a" * 20_000 + ".b.c", "a.b.c\x00" * 3])
def test_a_malformed_text_is_refused(host, text):
    with host.socket() as socket:
        assert socket.query(ME, token=text).error_id == INVALID
    if "\0" not in text:
        assert me(host, headers={"Authorization": f"Bearer {text}"}) == INVALID


def test_headers_are_users_over_http_and_in_the_upgrade_of_a_websocket(host):
    for given in (behind("ann"), basic("ann")):
        assert me(host, **given) == "ann"
        with host.socket(given["headers"]) as socket:
            assert socket.query(ME).result["_id"] == "ann"
            assert socket.query(ME, token=host.admin).result["_id"] == "admin"
            assert socket.query(ME).result["_id"] == "ann"
    assert me(host, **basic("ann", "wrong")) == INVALID
    assert me(host, **behind("nobody")) == INVALID


def test_two_tokens_are_refused(host, issuer):
    token = issuer.token()
    assert me(host, token=token, headers={"Cookie": f"authToken={host.admin}"}) == TWO
    body = {"controller": "auth", "action": "getCurrentUser"}
    for header in (host.admin, issuer.token(sub="eve"), "junk"):
        assert host.request("POST", "/_query", {**body, "jwt": token}, token=header).error_id == TWO
        with host.socket({"Authorization": f"Bearer {header}"}) as socket:
            assert socket.query(ME, token=token).error_id == TWO
    assert host.request("POST", "/_query", {**body, "jwt": token}, token=token).error_id is None
    for header in (host.admin, token, "junk"):  # a native token wins, and so does the body, as the wire has it
        assert host.request("POST", "/_query", {**body, "jwt": host.admin}, token=header).result["_id"] == "admin"
        assert host.request("POST", "/_query", {**body, "jwt": "garbage"}, token=header).error_id == INVALID
    assert me(host, token=host.admin, **behind("ann")) == "admin"
    assert me(host, headers={"Cookie": f"authToken={host.admin}", "X-Forwarded-User": "ann"}) == "admin"


def test_two_headers_authorization_are_refused(host, raw):
    head = "GET /_me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    twice = f"Authorization: Bearer {host.admin}\r\n" * 2
    answered = raw(host.port, f"{head}{twice}\r\n".encode())
    assert (answered.status, answered.json["error"]["id"]) == (400, TWO)
    upgrade = head.replace("close", "Upgrade") + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    upgrade += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    assert raw(host.port, f"{upgrade}{twice}\r\n".encode()).status == 403
    once = raw(host.port, f"{upgrade}Accept: a\r\nAccept: b\r\n\r\n".encode(), until_closed=False)
    assert once.status == 101


def test_cached_responses_are_never_those_of_another_credential(host, issuer):
    token = issuer.token()
    ada = me(host, token=token)
    asked = [({}, "-1"), (behind("ann"), "ann"), (behind("bob"), "bob"), (basic("bob"), "bob"), ({"token": token}, ada)]
    for _ in range(4):
        for given, user in asked:
            assert me(host, **given) == user
            assert host.query("auth:getMyRights", token=given.get("token")).status == 200


def test_cached_responses_are_never_those_of_another_socket(host):
    message = {"controller": "auth", "action": "getCurrentUser", "requestId": "one-request"}
    with (
        host.socket() as nobody,
        host.socket(behind("ann")["headers"]) as ann,
        host.socket(behind("bob")["headers"]) as bob,
    ):
        for _ in range(4):
            for socket, user in ((nobody, "-1"), (ann, "ann"), (bob, "bob")):
                socket.send(message)
                assert socket.receive()["result"]["_id"] == user


@pytest.mark.parametrize("given", [behind("ann"), basic("ann")])
def test_a_page_of_another_origin_cannot_use_what_browsers_send_by_themselves(host, issuer, given):
    refused = "api.process.unauthorized_origin"
    for origin, user in (("https://evil.example", refused), ("https://friend.example", "ann"), (host.url, "ann")):
        headers = {**given["headers"], "Origin": origin}
        assert me(host, headers=headers) == user
        with host.socket(headers) as socket:
            response = socket.query(ME)
            assert (response.error_id or response.result["_id"]) == user
            if user == refused:
                assert socket.query(ME, token="ann").error_id in {refused, INVALID}
    token = issuer.token()
    assert me(host, token=token, headers={"Origin": "https://evil.example"}) == me(host, token=token)


def test_a_deleted_user_is_made_anew_where_its_verifier_may_make_users_and_refused_elsewhere(host, issuer):
    token = issuer.token(sub="carl")
    carl = me(host, token=token)
    assert host.query("security:deleteUser", token=host.admin, _id=carl).error_id is None
    assert me(host, token=token) not in {carl, INVALID}
    assert me(host, **behind("bob")) == "bob"
    host.query("security:deleteUser", token=host.admin, _id="bob")
    assert me(host, **behind("bob")) == INVALID
    host.query("security:createUser", token=host.admin, _id="bob", body={"content": {"profileIds": ["default"]}})


def test_what_a_disabled_plugin_verified_counts_no_more(host, issuer):
    token = issuer.token()
    ada = me(host, token=token)
    assert me(host, **behind("ann")) == "ann"
    for plugin in ("issuer", "proxied"):
        assert host.query("security:disablePlugin", token=host.admin, plugin=plugin).error_id is None
    assert me(host, token=token) == INVALID
    assert me(host, **behind("ann")) == me(host, **basic("ann")) == "-1"
    for plugin in ("issuer", "proxied"):
        assert host.query("security:enablePlugin", token=host.admin, plugin=plugin).error_id is None
    assert me(host, token=token) == ada
    assert me(host, **behind("ann")) == "ann"


def test_an_issuer_that_is_down_is_an_error_and_nobody_is_let_in(host, issuer, tmp_path):
    issuer.down = True
    config = f'[issuer]\nurl = "{URL}"\nkeys = "{issuer.keys}"\naudience = "visado"\n'
    site = put(tmp_path / "site", "issuer", example())
    other = LiveHost(tmp_path, config=config, environment={"PYTHONPATH": str(site)}).start()
    try:
        token = issuer.token()
        response = other.request("GET", "/_me", token=token)
        assert (response.status, response.error_id) == (503, "issuer.keys.unavailable")
        assert issuer.keys not in str(response.body)
        issuer.down = False
        assert other.request("GET", "/_me", token=token).status == 200
        assert token not in other.log
    finally:
        issuer.down = False
        other.stop()


def test_operators_see_the_verifiers(host):
    listed = host.query("security:listPlugins", token=host.admin).result["plugins"]
    assert listed["issuer"]["contributes"] == ["settings [issuer]", "token verifier issuer"]
    assert listed["proxied"]["contributes"] == ["token verifier proxy", "token verifier basic"]
    info = host.query("server:info", token=host.admin).result["serverInfo"]["kuzzle"]
    assert info["tokenVerifiers"] == {"issuer": "ready", "proxy": "ready", "basic": "ready"}
    command = [sys.executable, "-m", "visado", "plugins", "--config", str(host.folder / "visado.toml")]
    command += ["--data", str(host.folder / "other")]
    done = subprocess.run(command, capture_output=True, text=True, env=host._environment, check=False)
    assert "token verifier issuer" in done.stdout, done.stdout + done.stderr


def test_no_credential_is_in_the_log(host, issuer):
    token = issuer.token()
    for given in ({"token": token}, {"token": token[:-20]}, basic("ann"), basic("ann", "a wrong password")):
        me(host, **given)
    for secret in (token, token[:-20], base64.b64encode(b"ann:a wrong password").decode(), "a wrong password"):
        assert secret not in host.log
