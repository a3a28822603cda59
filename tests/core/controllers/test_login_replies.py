"""The replies to a login: cookies and locations, a page that posts, the same as data."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser

import pytest

from tests.core.security.logins.scripts import Browser, Told, error, socket, values
from visado.controllers import login_replies
from visado.request import Connection
from visado.strategy import Redirect, Success

from .over_http import LOGIN, header, http, with_ann

ORIGIN = "https://auth.example.com"


async def log_in(inside, **how):
    status, found, body = await http(inside, "POST", "/_login/local?cookieAuth", LOGIN, **how)
    assert status == 200
    return header(found, "set-cookie"), body


def token_of(cookie):
    return cookie.split(";")[0].removeprefix("authToken=")


@pytest.mark.parametrize(("public_url", "secure"), [("", False), ("http://auth.example.com", False), (ORIGIN, True)])
def test_the_cookie_is_for_the_host_alone_and_the_body_has_no_token(play, public_url, secure):
    async def scene(inside):
        cookie, body = await log_in(inside)
        parts = cookie.split("; ")
        assert parts[0].startswith("authToken=kauth-")
        assert {"Path=/", "HttpOnly", "SameSite=Strict"} <= set(parts)
        assert ("Secure" in parts) is secure
        assert any(part.startswith("Expires=Wed, 18 May 2033 ") for part in parts)
        assert "jwt" not in body["result"]
        assert token_of(cookie) not in json.dumps(body)
        assert "set-cookie" not in body["headers"]
        status, _, body = await http(inside, "GET", "/_me", headers=[("cookie", cookie.split(";")[0])])
        assert (status, body["result"]["_id"]) == (200, "ann")

    play(with_ann(scene), server={"public_url": public_url})


def test_an_endless_token_is_a_cookie_that_is_not_in_the_past(play):
    async def scene(inside):
        _, found, _ = await http(inside, "POST", "/_login/local?cookieAuth&expiresIn=-1", LOGIN)
        assert "Expires" not in header(found, "set-cookie")

    play(with_ann(scene))


def test_a_cookie_is_written_in_plain_words():
    assert (
        login_replies.token_cookie("t", 2_000_000_000_000, Connection(secure=True))
        == "authToken=t; Path=/; Expires=Wed, 18 May 2033 03:33:20 GMT; HttpOnly; SameSite=Strict; Secure"
    )
    assert "9999" in login_replies.token_cookie("t", 10**18, Connection())
    assert "Path=/a%20b%3B;" in login_replies.token_cookie("t", None, Connection(base_path="/a b;"))


def test_logging_in_over_another_cookie_gives_a_new_token(play):
    async def scene(inside):
        await inside.user("eve")
        planted = await inside.token("eve")
        for cookie in (planted, "kauth-forged", "x"):
            fresh, body = await log_in(inside, headers=[("cookie", f"authToken={cookie}")])
            assert token_of(fresh) != cookie
            assert body["result"]["_id"] == "ann"
        assert (await inside.result("auth:getCurrentUser", token=planted))["_id"] == "eve"

    play(with_ann(scene))


def test_cookie_and_authorization_together_are_refused(play):
    async def scene(inside):
        cookie, _ = await log_in(inside)
        text = token_of(cookie)
        for path in ("/_me", "/_serverInfo"):
            status, _, body = await http(
                inside, "GET", path, headers=[("cookie", f"authToken={text}"), ("authorization", f"Bearer {text}")]
            )
            assert (status, body["error"]["id"]) == (400, "security.token.verification_error")
        status, _, body = await http(
            inside,
            "POST",
            "/_query",
            {"controller": "auth", "action": "getCurrentUser", "jwt": text},
            headers=[("cookie", f"authToken={text}")],
        )
        assert (status, body["error"]["id"]) == (400, "security.token.verification_error")

    play(with_ann(scene))


EVIL = ["https://evil.example", "null", "http://auth.example.com.evil.com", "http://authXexample.com", "http://evil.com#auth.example.com", "http://auth.example.com:8080",
        "https://auth.example.com", "http://auth.example.com@evil.com", "http://[", "", "HTTP://", "file://", "http://auth.example.com:x"]  # fmt: skip


@pytest.mark.parametrize("origin", EVIL)
def test_a_foreign_page_never_rides_on_a_cookie(play, origin):
    async def scene(inside):
        cookie, _ = await log_in(inside)
        headers = [("cookie", cookie.split(";")[0]), ("origin", origin)]
        for verb, path, body in [
            ("POST", "/users/eve/_create", {"content": {"profileIds": ["admin"]}}),
            ("POST", "/_logout", None),
            ("GET", "/_me", None),
        ]:
            status, found, answer = await http(inside, verb, path, body, headers=headers)
            assert (status, answer["error"]["id"]) == (401, "api.process.unauthorized_origin"), path
            assert header(found, "access-control-allow-credentials") is None
        assert await inside.error("security:getUser", _id="eve") == "security.user.not_found"
        assert await inside.error("auth:getCurrentUser", token=token_of(cookie)) is None

    play(with_ann(scene))


@pytest.mark.parametrize(
    "origin", [None, "http://auth.example.com", "http://auth.example.com:80", "https://app.example.com"]
)
def test_our_own_pages_do(play, origin):
    async def scene(inside):
        cookie, _ = await log_in(inside)
        headers = [("cookie", cookie.split(";")[0]), *([("origin", origin)] if origin else [])]
        status, found, body = await http(inside, "GET", "/_me", headers=headers)
        assert (status, body["result"]["_id"]) == (200, "ann")
        if origin == "https://app.example.com":
            assert header(found, "access-control-allow-origin") == origin
            assert header(found, "access-control-allow-credentials") == "true"
            assert header(found, "vary") == "Origin"

    play(with_ann(scene), http={"cookie_origins": ["https://app.example.com"]})


@pytest.mark.parametrize("origins", [["*"], ["https://good.example"], []])
def test_no_strange_origin_is_ever_shown_with_credentials(play, origins):
    async def scene(inside):
        for verb, path in [("GET", "/_me"), ("OPTIONS", "/_login/local"), ("GET", "/nowhere"), ("TRACE", "/")]:
            status, found, _ = await http(inside, verb, path, headers=[("origin", "https://evil.example")])
            assert status
            assert header(found, "access-control-allow-credentials") is None
            assert header(found, "access-control-allow-origin") in ("*", None)

    play(with_ann(scene), http={"allow_origins": origins, "cookie_origins": ["https://good.example"]})


def test_logout_by_cookie_ends_the_token_and_clears_the_cookie(play):
    async def scene(inside):
        await inside.restrict()
        cookie, _ = await log_in(inside)
        status, found, body = await http(
            inside, "POST", "/_logout?cookieAuth", headers=[("cookie", cookie.split(";")[0])]
        )
        assert (status, body["result"]) == (200, {"acknowledged": True})
        assert header(found, "set-cookie") == "authToken=null; Path=/; HttpOnly; SameSite=Strict"
        assert await inside.error("auth:getCurrentUser", token=token_of(cookie)) == "security.token.invalid"
        status, _, _ = await http(inside, "GET", "/_me", headers=[("cookie", "authToken=null")])
        assert status == 200

    play(with_ann(scene))


def test_the_clearing_cookie_is_as_secure_as_the_one_that_it_clears(play):
    async def scene(inside):
        cookie, _ = await log_in(inside)
        _, found, _ = await http(inside, "POST", "/_logout?cookieAuth", headers=[("cookie", cookie.split(";")[0])])
        assert "Secure" in header(found, "set-cookie")

    play(with_ann(scene), server={"public_url": ORIGIN})


def test_refreshing_by_cookie_sets_the_next_one(play):
    async def scene(inside):
        cookie, _ = await log_in(inside)
        status, found, body = await http(inside, "POST", "/_refreshToken", headers=[("cookie", cookie.split(";")[0])])
        assert status == 200
        assert token_of(header(found, "set-cookie")) != token_of(cookie)
        assert "jwt" not in body["result"]

    play(with_ann(scene))


@pytest.mark.parametrize(
    "written",
    ["other=1; {}", "{}; other=1", '{}; prefs={{"theme":"dark"}}', 'prefs={{"theme":"dark"}}; {}', "version=2; {}", "path=/x; {}", "a b=c; {}", "items[0]=1; {}", "name=Zoë; {}", "empty; {}", "=x; {}", ";; {}", "{};"],
)  # fmt: skip
def test_cookies_of_others_on_this_machine_do_not_hide_ours(play, written):
    """Browsers send the cookies of every port of a host, whatever is in them."""

    async def scene(inside):
        cookie, _ = await log_in(inside)
        headers = [("cookie", written.format(cookie.split(";")[0]))]
        status, _, body = await http(inside, "GET", "/_me", headers=headers)
        assert (status, body["result"]["_id"]) == (200, "ann")

    play(with_ann(scene))


def test_cookies_can_be_switched_off(play):
    async def scene(inside):
        status, _, body = await http(inside, "GET", "/_me", headers=[("cookie", "authToken=x")])
        assert (status, body["error"]["id"]) == (400, "security.cookie.unsupported")
        status, found, body = await http(inside, "POST", "/_login/local?cookieAuth", LOGIN)
        assert (status, body["error"] and body["error"]["id"]) == (400, "security.cookie.unsupported")
        assert header(found, "set-cookie") is None

    play(with_ann(scene), http={"cookie_auth": False})


def test_every_get_leaves_the_storage_as_it_was(play):
    async def scene(inside):
        root = await inside.token("ann")
        names = ["users", "roles", "profiles", "tokens", "api-keys", "mappings", "credentials-local"]
        before = [await inside.rows(name) for name in names]
        for action in inside.host.table:
            for route in action.routes:
                if route.verb != "GET":
                    continue
                path = "/".join(
                    "local" if part == ":strategy" else "ann" if part.startswith(":") else part
                    for part in route.path.split("/")
                )
                status, _, _ = await http(inside, "GET", path, headers=[("authorization", f"Bearer {root}")])
                assert status < 500 or path.endswith("_byId"), path
        assert [await inside.rows(name) for name in names] == before

    play(with_ann(scene))


class Page(HTMLParser):
    """A page as a browser understands it: its forms, their fields, and the content of its scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.forms, self.fields, self.buttons, self.inline, self.tags = [], {}, 0, {}, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        given = dict(attrs)
        if tag == "form":
            self.forms.append((given["method"], given["action"]))
        elif tag == "input":
            self.fields[given["name"]] = given["value"]
        self.buttons += tag == "button" and given["type"] == "submit"

    def handle_data(self, data):
        if self.tags and self.tags[-1] in ("script", "style"):
            self.inline.setdefault(self.tags[-1], data)


def test_a_page_posts_its_fields_exactly_and_nothing_of_theirs_is_markup():
    hostile = {
        'a"><script>alert(1)</script>': "</form><form action='https://evil.example'>", "submit": "1", "action": "x", "": "", "RelayState": "a&amp;b &lt; é \u202e 'q'",
        "SAMLResponse": "PHNhbWw+\r\nbbb\nccc\rddd==",
    }  # fmt: skip
    action = "https://idp.example:8443/sso?a=1&b=%22'<x>;"
    reply = login_replies.posting_page(action, hostile)
    page = Page(reply.result)
    assert page.forms == [("post", action)]
    assert page.fields == hostile
    assert (page.buttons, page.tags.count("script"), page.tags.count("form")) == (1, 1, 1)
    assert "<strong>idp.example:8443</strong>" in reply.result


def test_the_headers_of_a_page_allow_its_form_and_nothing_else():
    for action, scheme in [("https://idp.example/x", "https:"), ("HTTP://[::1]:8080", "http:")]:
        reply = login_replies.posting_page(action, {"a": "b"})
        inline = Page(reply.result).inline
        sources = {
            tag: f"'sha256-{base64.b64encode(hashlib.sha256(inline[tag].encode()).digest()).decode()}'"
            for tag in ("script", "style")
        }
        policy = {name: words for name, *words in map(str.split, reply.headers["Content-Security-Policy"].split(";"))}
        assert policy == {
            "default-src": ["'none'"], "style-src": [sources["style"]], "script-src": [sources["script"]], "form-action": [scheme],
            "frame-ancestors": ["'none'"], "base-uri": ["'none'"],
        }  # fmt: skip
        assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
        assert reply.headers["Referrer-Policy"] == "strict-origin"
        assert (reply.status, reply.raw) == (200, True)


@pytest.mark.parametrize("action", [
    "", "/sso", "//idp.example/sso", "javascript:alert(1)", "data:text/html,x", "ftp://idp.example", "https:", "https://", "https:///x", "https:idp.example", " https://idp.example",
    "https://idp.example\n", "https://idp.example/\x00", "https://idp.example/\x7f", "https://idp.example/a b", "https://idp.example/é", "https://exämple.example", "https://a@idp.example",
    "https://idp.example\\@evil.example", "https://idp.example;script-src *", "https://idp.example:port", "https://idp.example:", "https://[::1", "https://idp.example\t/", "https://a'b/",
])  # fmt: skip
def test_a_page_posts_to_http_alone(action):
    with pytest.raises(ValueError, match="http or https"):
        login_replies.posting_page(action, {})


@pytest.mark.parametrize("text", ["\0", "\ud800"])
def test_a_page_holds_no_text_that_a_browser_would_change(text):
    for fields in ({text: "a"}, {"a": text}):
        with pytest.raises(ValueError):
            login_replies.posting_page("https://idp.example", fields)


HTML = [("accept", "text/html,application/xhtml+xml;q=0.9")]
FIELDS = {"SAMLRequest": 'fZ"<&>', "RelayState": "x"}


def posting(request):
    fields = {**FIELDS, "RelayState": request.reference}
    return Redirect("https://idp.example/sso", post=fields, state={}, data={"to": "idp"}, cookies=("a=1",))


def test_a_browser_gets_a_page_that_posts_and_other_clients_the_fields(play):
    async def scene(inside):
        browser = Browser(inside)
        status, found, page = await browser.login("told", headers=HTML)
        assert status == 200
        assert values(found, "content-type") == ["text/html; charset=utf-8"]
        assert values(found, "cache-control") == ["no-store"]
        assert "form-action https:" in values(found, "content-security-policy")[0]
        assert b'name="SAMLRequest" value="fZ&quot;&lt;&amp;&gt;"' in page
        assert len(values(found, "set-cookie")) == 2
        status, _, answer = await browser.login("told")
        assert status == 200
        result = answer["result"]
        assert (result["location"], result["to"]) == ("https://idp.example/sso", "idp")
        assert result["post"]["SAMLRequest"] == FIELDS["SAMLRequest"]
        assert result["post"]["RelayState"].startswith("klogin-")
        result = await inside.result("auth:login", {}, strategy="told", connection=socket())
        assert result["post"]["SAMLRequest"] == FIELDS["SAMLRequest"]

    play(scene, strategies=[Told("told", posting)])


@pytest.mark.parametrize(
    ("location", "post"),
    [("javascript:alert(1)", {}), ("https://u@idp.example/", {}), ("/here", {}), ("https://idp.example/", {"a": "\0"})],
)
def test_a_page_that_cannot_post_is_the_fault_of_the_strategy(play, location, post):
    async def scene(inside):
        status, _, answer = await Browser(inside).login("told", headers=HTML)
        assert (status, error(answer)) == (500, "plugin.strategy.invalid_verify_resolve")

    play(scene, strategies=[Told("told", Redirect(location, post=post))])


def test_with_cookie_auth_the_token_is_in_the_cookie_alone(play):
    async def scene(inside):
        await inside.user("ann")
        browser = Browser(inside)
        _, found, answer = await browser.send("POST", "/_login/told?cookieAuth", {})
        assert "jwt" not in answer["result"]
        assert answer["result"]["extra"] == 1
        assert [each.partition("=")[0] for each in values(found, "set-cookie")] == ["own", "authToken"]
        assert values(found, "authentication-info") == ["x"]

    outcome = Success("ann", data={"extra": 1}, cookies=("own=1",), headers={"Authentication-Info": "x"})
    play(scene, strategies=[Told("told", outcome)])
