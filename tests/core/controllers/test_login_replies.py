"""The replies to a login: a page that posts, the same as data, cookies and locations."""

from __future__ import annotations

import pytest

from tests.core.security.logins.scripts import Browser, Told, error, socket, values
from visado.strategy import Redirect, Success

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
