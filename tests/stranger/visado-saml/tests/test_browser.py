"""The whole login in a real Chromium: the host is on 127.0.0.1, the provider on localhost, which is another site."""

from pathlib import Path
from urllib.parse import urlencode

import pytest
from browser import CHROMIUM, Chromium
from idp import encoded


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    if not Path(CHROMIUM).exists():
        pytest.skip("needs Chromium")
    chromium = Chromium(tmp_path_factory.mktemp("chromium"))
    yield chromium
    chromium.close()


@pytest.fixture(params=["redirect", "post"])
def either(request):
    return request.getfixturevalue("world" if request.param == "redirect" else "post_world")


def log_in(world, page):
    """Go to the provider and press its button, which brings the browser back."""
    return page.go(world.acs).arrive(f"{world.base}/sso").press()


def shown(page):
    """Return the JSON that the page shows."""
    return page.run("JSON.parse(document.body.innerText)")


def who(page, world):
    """Return the id of the user whom the cookie of this browser names, or None."""
    page.open(f"{world.url}/_me")
    return shown(page)["result"]["_id"] if "authToken" in page.cookies() else None


def captured(world, page):
    """Go to the provider; return what its page would post, which the host does not receive."""
    page.go(world.acs).arrive(f"{world.base}/sso")
    asked = page.run("Object.fromEntries(new FormData(document.forms[0]))")
    return {"RelayState": asked["state"], "SAMLResponse": encoded(world.idp.respond(asked["id"], world.acs))}


def post(page, world, fields, origin=None):
    """Open a page of the provider's origin, or of another one, that posts these fields; return the status."""
    page.open(f"{origin or world.base}/page?{urlencode({**fields, 'action': world.acs})}").press()
    return page.status_of(world.acs)


def test_login_and_logout(either, chromium):
    page = log_in(either, chromium.page()).arrive(f"{either.url}/_me")
    assert "jwt" not in page.run("document.documentElement.outerHTML")
    cookie = page.cookies()["authToken"]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    me = shown(page.open(f"{either.url}/_me"))["result"]
    assert me["_source"]["displayName"] == "Ada" and me["strategies"] == ["saml"]
    page.go(either.idp.log_out(either.acs, "ada-7", [])).arrive(f"{either.base}/slo")
    assert "RelayState=back" in page.url
    page.open(f"{either.url}/_me")
    assert shown(page)["error"]["id"] == "security.token.invalid"


def test_two_tabs(world, chromium):
    first = chromium.page()
    tabs = [first, chromium.page(first.context)]
    for page in tabs:
        page.open(world.acs)
    for page in tabs:
        page.press().arrive(f"{world.url}/_me")


def test_replay_in_the_same_browser(world, chromium):
    page = chromium.page()
    fields = captured(world, page)
    assert post(page, world, fields) in (200, 302)
    page.arrive(f"{world.url}/_me")
    assert who(page, world)
    page.call("Network.deleteCookies", name="authToken", url=world.url)
    assert post(page, world, fields) == 401
    assert who(page, world) is None


def test_another_browser(world, chromium):
    fields = captured(world, chromium.page())
    page = chromium.page()
    assert post(page, world, fields) == 401
    assert who(page, world) is None


ORIGINS = ["http://localhost", "http://evil.localhost"]


@pytest.mark.parametrize("origin", ORIGINS)
def test_login_csrf(world, chromium, origin):
    """The attacker has a response of a login of its own, and lets the victim's browser post it."""
    fields = captured(world, chromium.page())
    origin = world.base.replace("http://localhost", origin)
    fresh, waiting = chromium.page(), chromium.page()
    waiting.open(world.acs)
    for page in (fresh, waiting):
        assert post(page, world, fields, origin) == 401
        assert who(page, world) is None


def test_login_csrf_without_a_state(world, chromium):
    fields = captured(world, chromium.page())
    page = chromium.page().open(world.acs)
    for state in ({}, {"RelayState": ""}):
        assert post(page, world, {"SAMLResponse": fields["SAMLResponse"], **state}) == 401
        assert who(page, world) is None


def test_a_foreign_page_with_the_right_response(world, chromium):
    page = chromium.page()
    fields = captured(world, page)
    assert post(page, world, fields, world.base.replace("localhost", "evil.localhost")) == 401
    assert who(page, world) is None


@pytest.fixture
def without_referrer(world):
    """Keycloak sends `Referrer-Policy: no-referrer`: the origin of its form is then "null"."""
    with world.client() as client:
        client.get(f"{world.base}/policy?Referrer-Policy=no-referrer")
        yield
        client.get(f"{world.base}/policy")


@pytest.mark.usefixtures("without_referrer")
def test_a_provider_with_a_referrer_policy(world, chromium):
    log_in(world, chromium.page()).arrive(f"{world.url}/_me")
    test_login_csrf(world, chromium, "http://localhost")


def test_again_with_a_provider_of_the_same_site(same_site_world, chromium):
    """As login.example.com and auth.example.com: the form of the provider brings the `Strict` cookie of the first login."""
    world, page = same_site_world, chromium.page()
    for _ in range(2):
        log_in(world, page).arrive(f"{world.url}/_me")


def test_the_page_after_the_login_knows_the_user(world, chromium):
    page = log_in(world, chromium.page()).arrive(f"{world.url}/_me")
    assert shown(page)["result"]["_source"]["displayName"] == "Ada"
