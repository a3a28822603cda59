"""Logins in browsers that come from other sites: what a page of another site may start, answer and receive."""

from __future__ import annotations

import pytest

from visado import (
    Accept,
    AccountRules,
    Challenge,
    Fail,
    Identity,
    LoginCheck,
    Pass,
    Redirect,
    Strategy,
    Success,
    errors,
)

from .scripts import Browser, challenge, error, values

IDP = "https://idp.example"
FORM = ("content-type", "application/x-www-form-urlencoded")
PAGE = ("accept", "text/html")
CROSS = ("sec-fetch-site", "cross-site")


class Saml(Strategy):
    """Sends the browser away by a page that posts; the answer is posted by a page of another site."""

    name = "saml"
    accounts = AccountRules(auto_create=True)
    posts_from = frozenset({IDP})

    async def authenticate(self, request):
        return Redirect(f"{IDP}/sso", post={"RelayState": request.reference}, state={"asked": True})

    def reference(self, request):
        return request.fields.get("RelayState")

    async def answer(self, request, state):
        return Success(Identity(request.fields["who"]), location="/welcome?a=1&b=<2>")


async def start(browser):
    _, _, answer = await browser.login("saml")
    return answer["result"]["post"]["RelayState"]


async def come_back(browser, reference, *headers, who="ann", origin=IDP):
    origins = [("origin", origin)] if origin is not None else []
    body = f"RelayState={reference}&who={who}"
    return await browser.login("saml", body, headers=[FORM, PAGE, CROSS, *origins, *headers])


def test_a_page_of_the_host_goes_on_after_a_login_that_comes_from_another_site(play):
    """In a redirect, browsers would not send the new cookie, which is SameSite=Strict."""

    async def scene(inside):
        browser = Browser(inside)
        status, found, page = await come_back(browser, await start(browser))
        assert status == 200
        assert values(found, "content-type") == ["text/html; charset=utf-8"]
        assert b'content="0; url=/welcome?a=1&amp;b=%3C2%3E"' in page
        assert values(found, "location") == []
        assert "authToken" in browser.jar
        status, _, me = await browser.send("GET", "/_me")
        assert me["result"]["_id"].startswith("kuid-")

    play(scene, strategies=[Saml()])


@pytest.mark.parametrize("origin", [IDP, "null", None])
def test_an_answer_of_the_same_browser_is_accepted_whatever_cookie_a_former_login_left(play, origin):
    async def scene(inside):
        browser = Browser(inside)
        for _ in range(2):  # the provider may be of the same site, so that its form brings the first login's token
            status, _, _ = await come_back(browser, await start(browser), origin=origin)
            assert status == 200
        other = Browser(inside)
        status, _, _ = await come_back(other, await start(browser), origin=origin)
        assert (status, "authToken" in other.jar) == (401, False)

    play(scene, strategies=[Saml()])


def test_an_answer_of_another_origin_is_refused(play):
    async def scene(inside):
        browser = Browser(inside)
        status, _, answer = await come_back(browser, await start(browser), origin="https://evil.example")
        assert (status, error(answer)) == (401, "api.process.unauthorized_origin")
        assert "authToken" not in browser.jar

    play(scene, strategies=[Saml()])


class Guest(Strategy):
    name = "guest"

    async def authenticate(self, request):
        return Success("ann")


def test_a_link_gives_a_visitor_no_cookie(play):
    async def scene(inside):
        await inside.user("ann")
        for headers in ([], [CROSS], [("sec-fetch-site", "none")]):
            browser = Browser(inside)
            status, _, answer = await browser.send("GET", "/_login/guest?cookieAuth=true", headers=headers)
            assert (status, "authToken" in browser.jar) == (200, False)
            assert answer["result"]["jwt"].startswith("kauth-")
        await browser.login("guest?cookieAuth=true")
        assert "authToken" in browser.jar

    play(scene, strategies=[Guest()])


class Realm(Strategy):
    """Passes every login on."""

    name = "realm"

    async def authenticate(self, request):
        return Pass(to="guest")


class Word(LoginCheck):
    name = "word"

    async def check(self, login):
        return Challenge()

    async def answer(self, login, state):
        return Accept() if login.request.fields.get("word") == "please" else Fail()


def test_a_login_check_is_answered_where_the_login_began(play):
    async def scene(inside):
        await inside.user("ann")
        inside.host.security.login_checks.add(Word())
        for answered in ("realm", "guest"):
            _, _, asked = await Browser(inside).login("realm")
            body = {"challenge": challenge(asked)["reference"], "word": "please"}
            status, _, answer = await Browser(inside).login(answered, body)
            assert (status, answer["result"]["_id"]) == (200, "ann")

    play(scene, strategies=[Realm(), Guest()])


class Away(Saml):
    name = "away"
    posts_from = frozenset[str]()

    async def authenticate(self, request):
        return Redirect(f"{IDP}/?state={request.reference}", state={}, same_client=False)


def test_a_link_ends_with_the_token_that_started_it(play):
    async def scene(inside):
        token = await inside.user("ann")

        async def begin():
            result = await inside.result("auth:link", {}, strategy="away", token=token)
            return {"RelayState": result["headers"]["Location"].partition("state=")[2], "who": "Ann"}

        body = await begin()
        await inside.result("auth:logout", token=token)
        assert await inside.error("auth:login", body, strategy="away") == errors.LoginRefused.id
        assert await inside.rows("credentials-away") == {}

    play(scene, strategies=[Away()])
