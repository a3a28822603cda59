"""The whole flow in a real, headless Chromium, against a real OpenID provider."""

from __future__ import annotations

import json

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
    assert not cookies(first, "visado-oauth")
    assert not cookies(first, "authToken")

    assert second["url"] == f"{live.url}/_me"
    assert result(second)["result"]["_id"] == result(first)["result"]["_id"]
    (token,) = cookies(second, "authToken")
    assert token["httpOnly"]
    assert token["sameSite"] == "Strict"
    assert not cookies(second, "visado-oauth")

    assert result(third)["status"] == 200
    assert result(third)["result"]["_id"] != result(first)["result"]["_id"]

    assert result(refused)["status"] == 401
    assert result(refused)["error"]["id"] == "plugin.strategy.missing_user"
    assert not cookies(refused, "visado-oauth")


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
    (state,) = cookies(began, "visado-oauth")
    assert state["httpOnly"]
    assert state["sameSite"] == "Lax"
    assert browser.client.get(held).status_code == 200  # it is valid in the browser that started
