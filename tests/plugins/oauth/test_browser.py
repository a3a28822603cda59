"""The whole flow in a real, headless Chromium, against a real OpenID provider."""

from __future__ import annotations

import json
import re
from urllib.parse import urljoin

from .live_setup import browse


def result(seen):
    return json.loads(seen["text"])


def cookies(seen, start):
    return [each for each in seen["cookies"] if each["name"].startswith(start)]


def test_logins_with_two_providers_stay_separate(live):
    one, two = f"{live.url}/_login/one", f"{live.url}/_login/two"
    seen = browse(
        [
            # A login that returns the token.
            {"do": "goto", "url": one},
            {"do": "login", "as": "pia"},
            {"do": "look"},
            # The same URL again, as from the history.
            {"do": "goto", "url": "about:blank"},
            # Another browser, which returns to the application with a cookie.
            {"do": "goto", "url": f"{one}?return_to={live.url}/_me", "in": "two"},
            {"do": "login", "as": "pia", "in": "two"},
            {"do": "look", "in": "two"},
            {"do": "goto", "url": two, "in": "three"},
            {"do": "login", "as": "pia", "in": "three"},
            {"do": "look", "in": "three"},
            # A user who cancels.
            {"do": "goto", "url": one, "in": "four"},
            {"do": "cancel", "in": "four"},
            {"do": "look", "in": "four"},
        ]
    )
    first, second, third, refused = seen
    assert result(first)["status"] == 200, first
    assert result(first)["result"]["jwt"].startswith("kauth-")
    assert not cookies(first, "authToken")

    assert second["url"] == f"{live.url}/_me"
    assert result(second)["result"]["_id"] == result(first)["result"]["_id"]
    (token,) = cookies(second, "authToken")
    assert token["httpOnly"]
    assert token["sameSite"] == "Strict"

    assert result(third)["status"] == 200
    assert result(third)["result"]["_id"] != result(first)["result"]["_id"]

    assert result(refused)["status"] == 401
    assert result(refused)["error"]["id"] == "plugin.strategy.missing_user"
    assert not cookies(refused, "authToken")


def test_a_callback_of_another_user_is_refused(live, browser):
    """An attacker puts an unused callback of his own login into the browser of a victim."""
    login = f"{live.url}/_login/one"
    held = browser.prove(browser.start(login), "mallory", live.url)
    seen = browse(
        [
            {"do": "goto", "url": held},
            {"do": "look"},
            {"do": "goto", "url": login, "in": "began"},
            {"do": "look", "in": "began"},
            {"do": "goto", "url": held, "in": "began"},
            {"do": "look", "in": "began"},
        ]
    )
    strange, began, other = seen
    for each in (strange, other):
        assert result(each)["status"] == 401
        assert not cookies(each, "authToken")
    (state,) = cookies(began, "visado-login")
    assert state["httpOnly"]
    assert state["sameSite"] == "Lax"
    assert browser.client.get(held).status_code == 200  # it is valid in the browser that started


def test_a_page_of_the_provider_posts_the_user_back(live, other_browser):
    """Apple and Entra send codes by `response_mode=form_post`: a form of another origin, bound to this browser."""
    login = f"{live.url}/_login/posted"
    held = post_of(other_browser, login, "mallory")
    seen = browse(
        [
            {"do": "goto", "url": login},
            {"do": "login", "as": "quin"},
            {"do": "look"},
            {"do": "goto", "url": f"{login}?return_to={live.url}/_me", "in": "two"},
            {"do": "login", "as": "quin", "in": "two"},
            {"do": "look", "in": "two"},
            # An attacker's page posts a callback of the attacker's login into the browser of a victim.
            {"do": "goto", "url": login, "in": "victim"},
            {"do": "post", "url": login, "fields": held, "in": "victim"},
            {"do": "look", "in": "victim"},
        ]
    )
    first, second, victim = seen
    assert result(first)["status"] == 200, first
    assert first["url"] == login
    assert result(first)["result"]["jwt"].startswith("kauth-")
    (bound,) = cookies(first, "visado-login")
    assert (bound["name"], bound["sameSite"], bound["httpOnly"]) == ("visado-login-post", "None", True)
    assert second["url"] == f"{live.url}/_me"
    assert result(second)["result"]["_id"] == result(first)["result"]["_id"]
    assert result(victim)["status"] == 401
    assert not cookies(victim, "authToken")
    own = {"cookie": f"visado-login-post={other_browser.client.cookies['visado-login-post']}"}
    assert other_browser.client.post(login, data=held, headers=own).status_code == 200  # the browser that started


def post_of(browser, login, user):
    """Log in at the provider, and return the fields that its page would post to the host."""
    address, page = browser.start(login), None
    for _ in range(20):
        page = browser.client.get(address)
        while page.status_code == 200 and 'name="code"' not in page.text:
            form = re.search(r'<form[^>]* action="([^"]+)"', page.text)
            prompt = re.search(r'name="prompt" value="([^"]+)"', page.text)[1]
            fields = {"prompt": prompt, **({"login": user, "password": "any"} if prompt == "login" else {})}
            page = browser.client.post(urljoin(str(page.url), form[1]), data=fields)
        if page.status_code == 200:
            return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)"', page.text))
        address = urljoin(str(page.url), page.headers["location"])
    raise AssertionError(address)
