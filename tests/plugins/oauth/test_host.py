"""Logins at a running host with a real OpenID provider."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
import threading

import httpx
import pytest
from websockets.sync.client import connect

from visado_oauth.client import challenge_of

from .live_setup import parameters


def log_in(live, browser, user, strategy="one", query=""):
    return browser.log_in(f"{live.url}/_login/{strategy}{query}", user, live.url)


def begin(live, strategy="one", **body):
    """Start a login without a browser; return the verifier and the host's result."""
    verifier = secrets.token_urlsafe(32)
    answer = live.host.request("POST", f"/_login/{strategy}", {"challenge": challenge_of(verifier), **body})
    assert answer.status == 200, answer
    return verifier, answer.result


def prove(live, browser, user, strategy="one", **body):
    """Log in at the provider without a cookie of the host, and return the proof."""
    verifier, begun = begin(live, strategy, **body)
    back = parameters(browser.prove(begun["location"], user, body.get("redirectUri", live.url)))
    return {"code": back["code"], "state": back["state"], "iss": back["iss"], "verifier": verifier}


def admin(live):
    return live.admin


def user(live, name, **credentials):
    body = {"content": {"profileIds": ["linker"]}, "credentials": credentials}
    return live.host.request("POST", f"/users/{name}/_create", body, token=admin(live))


def local(name):
    return {"local": {"username": name, "password": "a long enough password"}}


def test_a_login_becomes_a_token(live, browser, other_browser):
    answer = log_in(live, browser, "ann")
    assert answer.status_code == 200, answer.text
    result = answer.json()["result"]
    me = live.host.request("GET", "/_me", token=result["jwt"]).result
    assert me["_id"] == result["_id"]
    assert me["strategies"] == ["one"]
    assert me["_source"]["profileIds"] == ["default"]
    assert "email" not in me["_source"]
    assert log_in(live, other_browser, "ann").json()["result"]["_id"] == result["_id"]
    assert log_in(live, browser.open_other(), "Ann").json()["result"]["_id"] != result["_id"]
    shown = live.host.request("GET", f"/credentials/one/{result['_id']}", token=admin(live)).result
    assert shown == {"sub": "ann", "iss": live.one.issuer, "email": "ann@example.com", "country": "LU"}


def test_a_private_key_replaces_the_secret(live, browser):
    assert log_in(live, browser, "ann", "keyed").json()["result"]["jwt"].startswith("kauth-")


def test_the_cookie_is_http_only_and_ignores_host_headers(live, browser):
    answer = browser.client.get(
        f"{live.url}/_login/one", headers={"host": "evil.example", "x-forwarded-host": "evil.example"}
    )
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert cookie.startswith("visado-login=")
    sent = parameters(answer.headers["location"])
    assert sent["redirect_uri"] == f"{live.url}/_login/one"
    assert sent["code_challenge_method"] == "S256"
    assert sent["state"] not in cookie


def test_a_browser_returns_to_the_application_with_a_cookie(live, browser):
    answer = log_in(live, browser, "bob", query=f"?return_to={live.url}/_me")
    assert answer.status_code == 302
    assert answer.headers["location"] == f"{live.url}/_me"
    assert any(each.startswith("authToken=kauth-") for each in answer.headers.get_list("set-cookie"))
    assert browser.client.get(f"{live.url}/_me").json()["result"]["strategies"] == ["one"]
    refused = browser.client.get(f"{live.url}/_login/one?return_to=https://evil.example/")
    assert refused.status_code == 400
    assert refused.json()["error"]["id"] == "oauth.return_to.forbidden"


def test_a_callback_works_once_and_in_its_browser_only(live, browser, other_browser):
    address = browser.prove(browser.start(f"{live.url}/_login/one"), "cid", live.url)
    for refused in (
        other_browser.client.get(address),
        other_browser.client.get(address.replace("/one?", "/two?")),
        browser.client.get(address.replace("/one?", "/two?")),
    ):
        assert refused.status_code == 401
        assert refused.json()["error"]["id"] == "plugin.strategy.missing_user"
    assert browser.client.get(address).status_code == 200
    assert browser.client.get(address).status_code == 401


def test_two_providers_have_separate_accounts(live, browser, other_browser):
    one = log_in(live, browser, "dan", "one").json()["result"]["_id"]
    two = log_in(live, other_browser, "dan", "two").json()["result"]["_id"]
    assert one != two
    begun = browser.start(f"{live.url}/_login/one")
    other = other_browser.start(f"{live.url}/_login/two")
    code = parameters(other_browser.prove(other, "dan", live.url))
    mixed = {**code, "state": parameters(begun)["state"]}
    for args in (mixed, {**mixed, "iss": live.one.issuer}):
        assert browser.client.get(f"{live.url}/_login/one", params=args).status_code == 401


def test_a_refusal_of_the_provider_is_401_with_its_reason(live, browser):
    sent = parameters(browser.start(f"{live.url}/_login/one"))
    args = {"error": "access_denied", "error_description": "Not today", "state": sent["state"], "iss": live.one.issuer}
    answer = browser.client.get(f"{live.url}/_login/one", params=args)
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == "Not today"


def test_an_application_must_send_its_verifier(live, browser):
    back = "http://127.0.0.1:34567/back"
    refused = live.host.request("POST", "/_login/one", {"challenge": "a" * 43, "redirectUri": "https://evil.example/"})
    assert refused.error_id == "oauth.return_to.forbidden"
    assert live.host.request("POST", "/_login/one", {"challenge": "short"}).status == 400
    proof = prove(live, browser, "eve", redirectUri=f"{live.url}/app")
    for wrong in ({"verifier": "b" * 43}, {"state": proof["state"][:-2]}, {"verifier": None}):
        assert live.host.request("POST", "/_login/one", {**proof, **wrong}).status == 401
    assert live.host.request("POST", "/_login/two", proof).status == 401
    answer = live.host.request("POST", "/_login/one", proof)
    assert answer.status == 200, answer
    assert live.host.request("POST", "/_login/one", proof).status == 401
    assert back.startswith("http://127.0.0.1")


def test_a_socket_receives_the_url_as_data(live, browser):
    with connect(live.url.replace("http", "ws")) as socket:

        def ask(**payload):
            socket.send(json.dumps({"controller": "auth", "action": "login", "strategy": "one", **payload}))
            return json.loads(socket.recv(timeout=10))

        begun = ask()
        assert begun["status"] == 302
        result = begun["result"]
        assert result["statusCode"] == 302
        assert result["headers"]["Location"] == result["location"]
        back = parameters(browser.prove(result["location"], "fay", live.url))
        done = ask(body={"code": back["code"], "state": back["state"], "verifier": result["verifier"]})
        assert done["status"] == 200, done
        assert done["result"]["jwt"].startswith("kauth-")


def test_without_auto_create_no_user_is_created(live, browser):
    answer = log_in(live, browser, "gil", "strict")
    assert answer.status_code == 401
    made = user(live, "gil", strict={"sub": "gil"})
    assert made.status == 200, made
    assert log_in(live, browser.open_other(), "gil", "strict").json()["result"]["_id"] == "gil"


def test_groups_grant_and_revoke_profiles(live, browser, other_browser):
    chief = log_in(live, browser, "chief-1", "created").json()["result"]
    member = log_in(live, other_browser, "member-1", "created").json()["result"]
    shown = [live.host.request("GET", "/_me", token=each["jwt"]).result for each in (chief, member)]
    assert [each["_source"]["profileIds"] for each in shown] == [["default", "admin"], ["default"]]
    assert log_in(live, browser.open_other(), "unverified-1", "created").status_code == 401
    changed = live.host.request(
        "PUT", f"/users/{member['_id']}/_update", {"profileIds": ["admin", "linker"]}, token=admin(live)
    )
    assert changed.status == 200
    again = log_in(live, browser.open_other(), "member-1", "created").json()["result"]
    assert live.host.request("GET", "/_me", token=again["jwt"]).result["_source"]["profileIds"] == ["admin", "linker"]


def test_a_user_links_an_identity_in_the_browser_that_started(live, browser, other_browser):
    path = f"{live.url}/_me/credentials/one/_link"
    assert user(live, "hal", **local("hal")).status == 200
    token = live.host.login("hal", "a long enough password")
    begun = browser.client.post(path, headers={"authorization": f"Bearer {token}"}, json={})
    assert begun.status_code == 200, begun.text
    address = browser.prove(begun.json()["result"]["location"], "hal-at-one", live.url)
    assert other_browser.client.get(address).status_code == 401  # another user's browser
    assert browser.client.get(address).json()["result"]["_id"] == "hal"
    assert log_in(live, browser.open_other(), "hal-at-one").json()["result"]["_id"] == "hal"
    # An identity of another user is refused.
    assert user(live, "ida", **local("ida")).status == 200
    theirs = live.host.login("ida", "a long enough password")
    fresh = browser.open_other()
    begun = fresh.client.post(path, headers={"authorization": f"Bearer {theirs}"}, json={})
    refused = fresh.client.get(fresh.prove(begun.json()["result"]["location"], "hal-at-one", live.url))
    assert refused.status_code == 412
    assert refused.json()["error"]["id"] == "security.credentials.subject_taken"
    assert live.host.request("POST", "/_me/credentials/one/_link", {}).status == 401


def test_an_application_links_an_identity_with_its_verifier(live, browser, other_browser):
    assert user(live, "jon", **local("jon")).status == 200
    token = live.host.login("jon", "a long enough password")
    verifier = secrets.token_urlsafe(32)
    body = {"challenge": challenge_of(verifier)}
    begun = live.host.request("POST", "/_me/credentials/one/_link", body, token=token).result
    back = parameters(browser.prove(begun["location"], "jon-at-one", live.url))
    proof = {"code": back["code"], "state": back["state"], "iss": back["iss"], "verifier": verifier}
    for wrong in ({"verifier": "b" * 43}, {"verifier": None}):
        assert live.host.request("POST", "/_login/one", {**proof, **wrong}).status == 401
    assert live.host.request("POST", "/_login/one", proof).result["_id"] == "jon"
    assert live.host.request("POST", "/_login/one", proof).status == 401
    assert log_in(live, other_browser, "jon-at-one").json()["result"]["_id"] == "jon"
    # A login that was started without the link links nothing.
    assert log_in(live, browser.open_other(), "jon-otherwise").json()["result"]["_id"] != "jon"


def test_a_user_proves_an_identity_where_administrators_name_one(live, browser):
    assert user(live, "joy", **local("joy")).status == 200
    token = live.host.login("joy", "a long enough password")
    path = "/_me/credentials/one"
    proof = prove(live, browser, "joy-at-one")
    for body in ({"sub": "somebody"}, proof):
        claimed = live.host.request("POST", f"{path}/_create", body, token=token)
        assert (claimed.status, claimed.error_id) == (403, "oauth.identity.proof_required")
    named = live.host.request("POST", "/credentials/one/joy/_create", {"sub": "joy-at-one"}, token=admin(live))
    assert named.status == 200, named
    for body in ({"sub": "somebody"}, proof):
        changed = live.host.request("PUT", f"{path}/_update", body, token=token)
        assert (changed.status, changed.error_id) == (403, "oauth.identity.proof_required")
    restricted = {"content": {}, "credentials": {"one": {"sub": "victim"}}}
    answer = live.host.query("security:createRestrictedUser", token=admin(live), body=restricted)
    assert answer.error_id == "oauth.identity.proof_required"
    # The last credentials cannot be deleted.
    assert live.host.request("DELETE", path, token=token).status == 200
    second = log_in(live, browser.open_other(), "kim").json()["result"]
    live.host.request("PUT", f"/users/{second['_id']}/_update", {"profileIds": ["linker"]}, token=admin(live))
    kept = live.host.request("DELETE", path, token=second["jwt"])
    assert (kept.status, kept.error_id) == (412, "oauth.credentials.last")


def test_a_refresh_goes_through_the_provider(live, browser):
    result = log_in(live, browser, "leo").json()["result"]
    live.host.request("PUT", f"/users/{result['_id']}/_update", {"profileIds": ["linker"]}, token=admin(live))
    renewed = live.host.query("auth:refreshToken", token=result["jwt"], strategy="one")
    assert renewed.status == 200, renewed
    # A logout with revocation at the provider.
    revoked = browser.open_other()
    out = log_in(live, revoked, "leo").json()["result"]
    logout = live.host.query("auth:logout", token=out["jwt"])
    assert logout.result["location"].startswith(f"{live.one.issuer}/session/end?client_id=basic")
    renewed = live.host.query("auth:refreshToken", token=renewed.result["jwt"], strategy="one")
    assert renewed.status == 200  # without a refresh token the provider is not asked
    stored = b"".join(each.read_bytes() for each in (live.host.folder / "data").glob("journal*"))
    assert b"refreshToken" in stored


def test_a_logout_at_the_provider_revokes_tokens_and_notifies_sockets(live, browser):
    result = log_in(live, browser, "mia").json()["result"]
    with connect(live.url.replace("http", "ws")) as socket:
        asked = {"controller": "auth", "action": "getCurrentUser", "jwt": result["jwt"], "requestId": "me"}
        socket.send(json.dumps(asked))
        assert json.loads(socket.recv(timeout=10))["status"] == 200
        page = browser.client.get(f"{live.one.issuer}/session/end", params={"client_id": "basic"})
        form = dict(_inputs(page.text))
        done = browser.client.post(f"{live.one.issuer}/session/end/confirm", data={**form, "logout": "yes"})
        assert done.status_code in (200, 302, 303), done.text
        told = json.loads(socket.recv(timeout=10))
        assert "TokenExpired" in json.dumps(told)
    assert live.host.request("GET", "/_me", token=result["jwt"]).status == 401
    for text in ("rubbish", "a.b.c", "", ["x"]):
        assert live.host.request("POST", "/_login/one", {"logout_token": text}).status == 400


def _inputs(page):
    return re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)"', page)


def test_the_device_flow(live, browser):
    begun = live.host.request("POST", "/_login/one", {"device": True})
    assert (begun.status, begun.error_id) == (401, "security.login.challenged")
    challenge = begun.result["challenge"]
    assert challenge["data"]["userCode"] in begun.body["error"]["message"]
    body = {"challenge": challenge["reference"]}
    for _ in range(3):
        waiting = live.host.request("POST", "/_login/one", body)
        assert (waiting.status, waiting.error_id) == (412, "oauth.device.pending")
    _enter_code(browser, challenge["data"]["location"], "nat")
    assert live.host.request("POST", "/_login/two", body).status == 401
    done = live.host.request("POST", "/_login/one", body)
    assert done.status == 200, done
    assert live.host.request("POST", "/_login/one", body).status == 401


def test_the_device_flow_links_an_identity(live, browser):
    assert user(live, "uma", **local("uma")).status == 200
    token = live.host.login("uma", "a long enough password")
    begun = live.host.request("POST", "/_me/credentials/one/_link", {"device": True}, token=token)
    challenge = begun.result["challenge"]
    _enter_code(browser, challenge["data"]["location"], "uma-at-one")
    done = live.host.request("POST", "/_login/one", {"challenge": challenge["reference"]}, token=token)
    assert done.result["_id"] == "uma"
    assert live.host.request("GET", "/credentials/one/uma", token=admin(live)).result["sub"] == "uma-at-one"


def test_the_command_line_logs_in_with_a_code_on_another_device(live, browser):
    process = subprocess.Popen(
        [sys.executable, "-m", "visado", "oauth:login", "one", "--device", "--url", live.url],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PATH": ""},
    )  # fmt: skip
    address = process.stderr.readline().rpartition(" at ")[2].strip()
    _enter_code(browser, address, "ola")
    out, failure = process.communicate(timeout=60)
    assert process.returncode == 0, failure
    assert json.loads(out)["jwt"].startswith("kauth-")


def _enter_code(browser, location, name):
    """Confirm a device code on oidc-provider's pages."""
    browser.client.follow_redirects = True
    page = browser.client.get(location)
    for _ in range(6):
        form = re.search(r'<form[^>]* action="([^"]+)"', page.text)
        if form is None:
            break
        fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text))
        values = re.findall(r'<input[^>]*value="([^"]*)"[^>]*name="([^"]+)"', page.text)
        fields = {name: value for value, name in values} | fields
        if 'name="login"' in page.text:
            fields |= {"login": name, "password": "any"}
        page = browser.client.post(httpx.URL(str(page.url)).join(form[1]), data=fields)
    assert page.status_code == 200, page.text


def test_the_commands_providers_and_check(live):
    def run(*words, **more):
        config = ["--config", str(live.host._config)]
        return subprocess.run(
            [sys.executable, "-m", "visado", *words, *config],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=live.host.folder,
            check=False,
            **more,
        )

    listed = run("oauth:providers")
    assert listed.returncode == 0
    assert "keycloak       Keycloak (variables: host, realm)" in listed.stdout
    checked = run("oauth:check", "one")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count("  ok ") == 6
    assert run("oauth:check", "nobody").returncode == 1


@pytest.mark.parametrize("words", [["oauth:login", "native"], ["auth:login", "-a", "strategy=native"]], ids=" ".join)
def test_the_command_line_opens_a_browser_and_waits(live, browser, words):
    process = subprocess.Popen(
        [sys.executable, "-m", "visado", *words, "--url", live.url],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PATH": "", "BROWSER": "true"},
    )  # fmt: skip
    address = process.stderr.readline().removeprefix("Log in at ").strip()
    back = browser.prove(address, "oda", parameters(address)["redirect_uri"])
    thread = threading.Thread(target=lambda: browser.client.get(back))
    thread.start()
    out, failure = process.communicate(timeout=30)
    thread.join()
    assert process.returncode == 0, failure
    assert json.loads(out)["jwt"].startswith("kauth-")
