"""The whole flow in a real, headless Chromium, against a real OpenID provider."""

from __future__ import annotations

import json

from .town import browse


def result(seen):
    return json.loads(seen["text"])


def cookies(seen, start):
    return [each for each in seen["cookies"] if each["name"].startswith(start)]


def test_people_log_in_by_two_providers_and_nothing_is_mixed_up(town):
    one, two = f"{town.url}/_login/one", f"{town.url}/_login/two"
    seen = browse(
        [
            # A login that answers with the token.
            {"do": "goto", "url": one},
            {"do": "login", "as": "pia"},
            {"do": "look"},
            # Once more with the same address: back in the history.
            {"do": "goto", "url": "about:blank"},
            # Another browser, another provider, sent on with a cookie.
            {"do": "goto", "url": f"{one}?return_to={town.url}/_me", "in": "two"},
            {"do": "login", "as": "pia", "in": "two"},
            {"do": "look", "in": "two"},
            {"do": "goto", "url": two, "in": "three"},
            {"do": "login", "as": "pia", "in": "three"},
            {"do": "look", "in": "three"},
            # A user who says no.
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

    assert second["url"] == f"{town.url}/_me"
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


def test_a_callback_of_somebody_else_opens_nothing(town, surfer):
    """An attacker's own callback, held back and put into the browser of a victim."""
    login = f"{town.url}/_login/one"
    held = surfer.prove(surfer.start(login), "mallory", town.url)
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
    assert surfer.client.get(held).status_code == 200  # it was good for the one who began
