"""Whole ways through a real host and a real OpenID provider."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
import threading
import time

import httpx
import pytest
from websockets.sync.client import connect

from visado_oauth.client import challenge_of

from .town import parameters


def log_in(town, surfer, user, strategy="one", query=""):
    return surfer.log_in(f"{town.url}/_login/{strategy}{query}", user, town.url)


def begin(town, strategy="one", **body):
    """Begin without a browser: the verifier, and the host's answer."""
    verifier = secrets.token_urlsafe(32)
    answer = town.host.request("POST", f"/_login/{strategy}", {"challenge": challenge_of(verifier), **body})
    assert answer.status == 200, answer
    return verifier, answer.result


def prove(town, surfer, user, strategy="one", **body):
    """Log in at the provider without a browser of the host's, and return what proves it."""
    verifier, begun = begin(town, strategy, **body)
    back = parameters(surfer.prove(begun["location"], user, body.get("redirectUri", town.url)))
    return {"code": back["code"], "state": back["state"], "iss": back["iss"], "verifier": verifier}


def admin(town):
    return town.admin


def user(town, name, **credentials):
    body = {"content": {"profileIds": ["linker"]}, "credentials": credentials}
    return town.host.request("POST", f"/users/{name}/_create", body, token=admin(town))


def local(name):
    return {"local": {"username": name, "password": "a long enough password"}}


def test_a_login_becomes_a_token(town, surfer, another):
    answer = log_in(town, surfer, "ann")
    assert answer.status_code == 200, answer.text
    result = answer.json()["result"]
    me = town.host.request("GET", "/_me", token=result["jwt"]).result
    assert me["_id"] == result["_id"]
    assert me["strategies"] == ["one"]
    assert me["_source"]["profileIds"] == ["default"]
    assert "email" not in me["_source"]
    assert not [name for name in surfer.client.cookies if "oauth" in name]
    assert log_in(town, another, "ann").json()["result"]["_id"] == result["_id"]
    assert log_in(town, surfer.another(), "Ann").json()["result"]["_id"] != result["_id"]
    shown = town.host.request("GET", f"/credentials/one/{result['_id']}", token=admin(town)).result
    assert shown == {"sub": "ann", "iss": town.one.issuer, "email": "ann@example.com", "country": "LU"}


def test_a_key_serves_in_place_of_a_secret(town, surfer):
    assert log_in(town, surfer, "ann", "keyed").json()["result"]["jwt"].startswith("kauth-")


def test_the_cookie_is_for_the_server_alone(town, surfer):
    answer = surfer.client.get(
        f"{town.url}/_login/one", headers={"host": "evil.example", "x-forwarded-host": "evil.example"}
    )
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Max-Age=600" in cookie
    sent = parameters(answer.headers["location"])
    assert sent["redirect_uri"] == f"{town.url}/_login/one"
    assert sent["code_challenge_method"] == "S256"
    assert sent["state"] not in cookie


def test_a_browser_is_sent_on_with_a_cookie(town, surfer):
    answer = log_in(town, surfer, "bob", query=f"?return_to={town.url}/_me")
    assert answer.status_code == 302
    assert answer.headers["location"] == f"{town.url}/_me"
    assert any(each.startswith("authToken=kauth-") for each in answer.headers.get_list("set-cookie"))
    assert surfer.client.get(f"{town.url}/_me").json()["result"]["strategies"] == ["one"]
    refused = surfer.client.get(f"{town.url}/_login/one?return_to=https://evil.example/")
    assert refused.status_code == 400
    assert refused.json()["error"]["id"] == "oauth.return_to.forbidden"


def test_the_way_back_works_once_and_here_alone(town, surfer, another):
    address = surfer.prove(surfer.start(f"{town.url}/_login/one"), "cid", town.url)
    for refused in (
        another.client.get(address),
        another.client.get(address.replace("/one?", "/two?")),
        surfer.client.get(address.replace("/one?", "/two?")),
    ):
        assert refused.status_code == 401
        assert refused.json()["error"]["id"] == "plugin.strategy.missing_user"
    assert surfer.client.get(address).status_code == 200
    assert surfer.client.get(address).status_code == 401


def test_two_providers_have_accounts_of_their_own(town, surfer, another):
    one = log_in(town, surfer, "dan", "one").json()["result"]["_id"]
    two = log_in(town, another, "dan", "two").json()["result"]["_id"]
    assert one != two
    begun = surfer.start(f"{town.url}/_login/one")
    other = another.start(f"{town.url}/_login/two")
    code = parameters(another.prove(other, "dan", town.url))
    mixed = {**code, "state": parameters(begun)["state"]}
    for args in (mixed, {**mixed, "iss": town.one.issuer}):
        assert surfer.client.get(f"{town.url}/_login/one", params=args).status_code == 401


def test_a_refusal_is_ours_and_names_the_reason(town, surfer):
    sent = parameters(surfer.start(f"{town.url}/_login/one"))
    args = {"error": "access_denied", "error_description": "Not today", "state": sent["state"], "iss": town.one.issuer}
    answer = surfer.client.get(f"{town.url}/_login/one", params=args)
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == "Not today"


def test_an_application_proves_itself_by_its_verifier(town, surfer):
    back = "http://127.0.0.1:34567/back"
    refused = town.host.request("POST", "/_login/one", {"challenge": "a" * 43, "redirectUri": "https://evil.example/"})
    assert refused.error_id == "oauth.return_to.forbidden"
    assert town.host.request("POST", "/_login/one", {"challenge": "short"}).status == 400
    proof = prove(town, surfer, "eve", redirectUri=f"{town.url}/app")
    for wrong in ({"verifier": "b" * 43}, {"state": proof["state"][:-2]}, {"verifier": None}):
        assert town.host.request("POST", "/_login/one", {**proof, **wrong}).status == 401
    assert town.host.request("POST", "/_login/two", proof).status == 401
    answer = town.host.request("POST", "/_login/one", proof)
    assert answer.status == 200, answer
    assert town.host.request("POST", "/_login/one", proof).status == 401
    assert back.startswith("http://127.0.0.1")


def test_a_socket_gets_the_address_as_data(town, surfer):
    with connect(town.url.replace("http", "ws")) as socket:

        def ask(**payload):
            socket.send(json.dumps({"controller": "auth", "action": "login", "strategy": "one", **payload}))
            return json.loads(socket.recv(timeout=10))

        begun = ask()
        assert begun["status"] == 302
        result = begun["result"]
        assert result["statusCode"] == 302
        assert result["headers"]["Location"] == result["location"]
        back = parameters(surfer.prove(result["location"], "fay", town.url))
        time.sleep(1.1)
        done = ask(body={"code": back["code"], "state": back["state"], "verifier": result["verifier"]})
        assert done["status"] == 200, done
        assert done["result"]["jwt"].startswith("kauth-")


def test_nobody_is_made_who_should_not_be(town, surfer):
    answer = log_in(town, surfer, "gil", "strict")
    assert answer.status_code == 401
    made = user(town, "gil", strict={"sub": "gil"})
    assert made.status == 200, made
    assert log_in(town, surfer.another(), "gil", "strict").json()["result"]["_id"] == "gil"


def test_groups_give_and_take_profiles(town, surfer, another):
    chief = log_in(town, surfer, "chief-1", "created").json()["result"]
    member = log_in(town, another, "member-1", "created").json()["result"]
    shown = [town.host.request("GET", "/_me", token=each["jwt"]).result for each in (chief, member)]
    assert [each["_source"]["profileIds"] for each in shown] == [["admin"], ["default"]]
    assert log_in(town, surfer.another(), "unverified-1", "created").status_code == 401
    changed = town.host.request(
        "PUT", f"/users/{member['_id']}/_update", {"profileIds": ["admin", "linker"]}, token=admin(town)
    )
    assert changed.status == 200
    again = log_in(town, surfer.another(), "member-1", "created").json()["result"]
    assert town.host.request("GET", "/_me", token=again["jwt"]).result["_source"]["profileIds"] == ["linker"]


def test_a_user_links_an_identity_in_the_browser_that_began(town, surfer, another):
    assert user(town, "hal", **local("hal")).status == 200
    token = town.host.login("hal", "a long enough password")
    begun = surfer.client.post(f"{town.url}/_oauth/one/_link", headers={"authorization": f"Bearer {token}"}, json={})
    assert begun.status_code == 200, begun.text
    address = surfer.prove(begun.json()["result"]["location"], "hal-at-one", town.url)
    assert another.client.get(address).status_code == 401  # somebody else's browser
    assert surfer.client.get(address).json()["result"]["_id"] == "hal"
    assert log_in(town, surfer.another(), "hal-at-one").json()["result"]["_id"] == "hal"
    # An identity of somebody else is refused.
    assert user(town, "ida", **local("ida")).status == 200
    theirs = town.host.login("ida", "a long enough password")
    fresh = surfer.another()
    begun = fresh.client.post(f"{town.url}/_oauth/one/_link", headers={"authorization": f"Bearer {theirs}"}, json={})
    refused = fresh.client.get(fresh.prove(begun.json()["result"]["location"], "hal-at-one", town.url))
    assert refused.status_code == 412
    assert refused.json()["error"]["id"] == "security.credentials.subject_taken"
    assert town.host.request("POST", "/_oauth/one/_link", {}).status == 401


def test_a_user_proves_what_administrators_name(town, surfer, another):
    assert user(town, "jon", **local("jon")).status == 200
    token = town.host.login("jon", "a long enough password")
    path = "/_me/credentials/one"
    claimed = town.host.request("POST", f"{path}/_create", {"sub": "somebody"}, token=token)
    assert (claimed.status, claimed.error_id) == (403, "oauth.identity.proof_required")
    proof = prove(town, surfer, "jon-at-one")
    made = town.host.request("POST", f"{path}/_create", proof, token=token)
    assert made.status == 200, made
    assert made.result["sub"] == "jon-at-one"
    assert town.host.request("POST", f"{path}/_create", proof, token=token).error_id == "oauth.identity.proof_refused"
    changed = town.host.request("PUT", f"{path}/_update", {"sub": "somebody"}, token=token)
    assert changed.status == 403
    assert log_in(town, another, "jon-at-one").json()["result"]["_id"] == "jon"
    restricted = {"content": {}, "credentials": {"one": {"sub": "victim"}}}
    answer = town.host.query("security:createRestrictedUser", token=admin(town), body=restricted)
    assert answer.error_id == "oauth.identity.proof_required"
    # The last credentials stay.
    assert town.host.request("DELETE", path, token=token).status == 200
    second = log_in(town, surfer.another(), "kim").json()["result"]
    town.host.request("PUT", f"/users/{second['_id']}/_update", {"profileIds": ["linker"]}, token=admin(town))
    kept = town.host.request("DELETE", path, token=second["jwt"])
    assert (kept.status, kept.error_id) == (412, "oauth.credentials.last")


def test_a_refresh_is_the_provider_s_to_give(town, surfer):
    result = log_in(town, surfer, "leo").json()["result"]
    town.host.request("PUT", f"/users/{result['_id']}/_update", {"profileIds": ["linker"]}, token=admin(town))
    renewed = town.host.query("auth:refreshToken", token=result["jwt"], strategy="one")
    assert renewed.status == 200, renewed
    # The provider takes the login back: the next refresh ends the session.
    revoked = surfer.another()
    out = log_in(town, revoked, "leo").json()["result"]
    logout = town.host.query("auth:logout", token=out["jwt"])
    assert logout.result["location"].startswith(f"{town.one.issuer}/session/end?client_id=basic")
    renewed = town.host.query("auth:refreshToken", token=renewed.result["jwt"], strategy="one")
    assert renewed.status == 200  # no refresh token any more, and nothing that the provider could refuse
    stored = b"".join(each.read_bytes() for each in (town.host.folder / "data").glob("journal*"))
    assert b"refreshToken" in stored


def test_a_logout_at_the_provider_ends_the_tokens_and_tells_the_sockets(town, surfer):
    result = log_in(town, surfer, "mia").json()["result"]
    with connect(town.url.replace("http", "ws")) as socket:
        asked = {"controller": "auth", "action": "getCurrentUser", "jwt": result["jwt"], "requestId": "me"}
        socket.send(json.dumps(asked))
        assert json.loads(socket.recv(timeout=10))["status"] == 200
        page = surfer.client.get(f"{town.one.issuer}/session/end", params={"client_id": "basic"})
        form = dict(_inputs(page.text))
        done = surfer.client.post(f"{town.one.issuer}/session/end/confirm", data={**form, "logout": "yes"})
        assert done.status_code in (200, 302, 303), done.text
        told = json.loads(socket.recv(timeout=10))
        assert "TokenExpired" in json.dumps(told)
    assert town.host.request("GET", "/_me", token=result["jwt"]).status == 401
    for text in ("rubbish", "a.b.c", "", ["x"]):
        assert town.host.request("POST", "/_login/one", {"logout_token": text}).status == 400


def _inputs(page):
    return re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)"', page)


def test_a_device_is_let_in_by_a_code(town, surfer):
    begun = town.host.request("POST", "/_login/one", {"device": True})
    assert begun.status == 200, begun
    result = begun.result
    waiting = town.host.request("POST", "/_login/one", {"device": result["device"]})
    assert (waiting.status, waiting.error_id) == (412, "oauth.device.pending")
    _enter_code(surfer, result["location"], "nat")
    done = town.host.request("POST", "/_login/one", {"device": result["device"]})
    assert done.status == 200, done
    assert town.host.request("POST", "/_login/one", {"device": result["device"]}).status == 401
    assert town.host.request("POST", "/_login/two", {"device": result["device"]}).status == 401


def _enter_code(surfer, location, name):
    """Confirm a device code at oidc-provider's pages."""
    surfer.client.follow_redirects = True
    page = surfer.client.get(location)
    for _ in range(6):
        form = re.search(r'<form[^>]* action="([^"]+)"', page.text)
        if form is None:
            break
        fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text))
        values = re.findall(r'<input[^>]*value="([^"]*)"[^>]*name="([^"]+)"', page.text)
        fields = {name: value for value, name in values} | fields
        if 'name="login"' in page.text:
            fields |= {"login": name, "password": "any"}
        page = surfer.client.post(httpx.URL(str(page.url)).join(form[1]), data=fields)
    assert page.status_code == 200, page.text


def test_the_command_line_checks(town):
    def run(*words, **more):
        config = ["--config", str(town.host._config)]
        return subprocess.run(
            [sys.executable, "-m", "visado", *words, *config],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=town.host.folder,
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
def test_the_command_line_opens_a_browser_and_waits(town, surfer, words):
    process = subprocess.Popen(
        [sys.executable, "-m", "visado", *words, "--url", town.url],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PATH": "", "BROWSER": "true"},
    )  # fmt: skip
    address = process.stderr.readline().removeprefix("Log in at ").strip()
    back = surfer.prove(address, "oda", parameters(address)["redirect_uri"])
    thread = threading.Thread(target=lambda: surfer.client.get(back))
    thread.start()
    out, failure = process.communicate(timeout=30)
    thread.join()
    assert process.returncode == 0, failure
    assert json.loads(out)["jwt"].startswith("kauth-")
