"""What a strategy may return: wrong types in every member are its fault, and never a token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.core.security.logins.scripts import Browser, Told, error
from visado.plugins.outcomes import MAX_JSON_DEPTH, is_outcome
from visado.strategy import Challenge, Fail, Identity, Pass, Redirect, Success

HALF = "\ud800"
DEEP: Any = "x"
for _ in range(MAX_JSON_DEPTH + 2):
    DEEP = {"a": DEEP}
NO_JSON = [
    None, 5, "x", [1], {1: 2}, {"a": HALF}, {HALF: 1}, {"a": b"x"}, {"a": {1}}, {"a": float("nan")}, {"a": float("inf")},
    {"a": datetime.now(UTC)}, {"a": object()}, DEEP,
]  # fmt: skip
NO_HEADERS = ["x", ["x"], (5,), (None,), ("a\r\nb",), ("a\nb",), ("a\0b",), ("€",), (HALF,), None]
NO_TEXT = [5, b"x", ["x"], HALF]
NO_SECONDS = [0, -1, 3_601, float("nan"), float("inf"), True, "5", None]
AT = "https://idp.example/"


@dataclass
class Success2:
    """No outcome, although it has the members of one."""

    who: str = "ann"


WRONG: list[Any] = [
    None, True, "ann", 5, {}, [], Success, Success2(), object(),
    *(Success("ann", session=each) for each in NO_JSON),
    *(Success("ann", data=each) for each in NO_JSON),
    *(Success("ann", cookies=each) for each in NO_HEADERS),
    *(Success("ann", location=each) for each in [5, b"x", "a\r\nb", "a\0", HALF]),
    *(Success("ann", methods=each) for each in [None, {"pwd"}, ("pwd",), "pwd", frozenset({5}), frozenset({""}), frozenset({HALF})]),
    *(Success("ann", expires_at=each) for each in ["5", 5.5, True, 2**53, -(2**60), 10**30]),
    *(Success("ann", actor=each) for each in NO_TEXT),
    *(Success("ann", headers=each) for each in [None, [], {"Set-Cookie": "a=1"}, {"Location": "x"}, {5: "x"}]),
    *(Success("ann", headers={"WWW-Authenticate": each}) for each in [5, None, "a\r\nb", "€", HALF]),
    *(Success(Identity(each)) for each in [5, "", "x" * 1_025, HALF, None]),
    *(Success(Identity("x", profile=each)) for each in NO_JSON),
    *(Success(Identity("x", kept=each)) for each in NO_JSON),
    *(Success(Identity("x", profiles=each)) for each in [["a"], "a", (5,), ("",), (HALF,)]),
    *(Fail(each) for each in [*NO_TEXT, None]),
    *(Fail(www_authenticate=each) for each in NO_HEADERS),
    *(Fail(cookies=each) for each in NO_HEADERS),
    *(Redirect(each) for each in [*NO_TEXT, None, "a\r\nb"]),
    *(Redirect(AT, post=each) for each in [5, ["a"], {"a": 5}, {5: "a"}, {"a": HALF}, {"a": None}]),
    *(Redirect(AT, state=each) for each in NO_JSON if each is not None),
    *(Redirect(AT, data=each) for each in NO_JSON),
    *(Redirect(AT, lifetime=each) for each in NO_SECONDS),
    *(Redirect(AT, same_client=each) for each in [None, 0, "no"]),
    *(Redirect(AT, status=each) for each in [None, 201, 299, 400, 302.0, "302", True]),
    *(Redirect(AT, cookies=each) for each in NO_HEADERS),
    *(Challenge(each) for each in NO_JSON),
    *(Challenge(state=each) for each in NO_JSON),
    *(Challenge(reason=each) for each in [*NO_TEXT, None]),
    *(Challenge(lifetime=each) for each in NO_SECONDS),
    *(Challenge(tries=each) for each in [0, -1, 1_001, 1.0, True, "1", None]),
    *(Challenge(enrols=each) for each in [None, 1, "yes"]),
    *(Challenge(www_authenticate=each) for each in NO_HEADERS),
    *(Challenge(cookies=each) for each in NO_HEADERS),
    *(Pass(to=each) for each in NO_TEXT),
]  # fmt: skip


def test_what_is_no_outcome_is_a_fault_and_never_a_token(play):
    async def scene(inside):
        await inside.user("ann")
        strategy = inside.host.security.strategies["told"]
        before = await inside.rows("tokens")
        for wrong in WRONG:
            strategy.outcome = wrong if not callable(wrong) else lambda _, wrong=wrong: wrong
            response = await inside.ask("auth:login", {}, strategy="told")
            found = (response.error.id, response.status) if response.error else None
            assert found == ("plugin.strategy.invalid_verify_resolve", 500), ascii(wrong)[:300]
        assert await inside.rows("tokens") == before
        assert await inside.rows("challenges") == {}
        assert list(await inside.rows("users")) == ["ann"]

    play(scene, strategies=[Told("told")])


@pytest.mark.parametrize("who", [5, None, b"ann", ["ann"], "", True])
def test_a_success_of_what_is_no_user_is_a_fault(play, who):
    async def scene(inside):
        response = await inside.ask("auth:login", {}, strategy="told")
        assert (response.error.id, response.status) == ("plugin.strategy.invalid_kuid", 500)

    play(scene, strategies=[Told("told", Success(who))])


@pytest.mark.parametrize("who", ["nobody", "../x", "x" * 10_000, HALF])
def test_a_success_of_an_unknown_user_is_a_fault(play, who):
    async def scene(inside):
        status, _, answer = await Browser(inside).login("told")
        assert status == 500
        assert error(answer).startswith("plugin.strategy.")
        assert await inside.rows("tokens") == {}

    play(scene, strategies=[Told("told", Success(who))])


@pytest.mark.parametrize(
    "outcome",
    [
        Success("ann", cookies=("a=é",), headers={"www-authenticate": "é"}, data={"a": (1, "é", None, {"b": 0.5})}),
        Fail("é", www_authenticate=('Basic realm="é"',), cookies=("a=é",)),
        Redirect("https://é.example/€", cookies=("a=é",), state={"a": (1, [2], None)}, lifetime=3_600),
        Challenge({"a": "é"}, www_authenticate=("é",), cookies=("a=é",), lifetime=0.001, tries=1_000),
    ],
)
def test_what_headers_can_carry_reaches_the_client(play, outcome):
    async def scene(inside):
        await inside.user("ann")
        status, found, _ = await Browser(inside).login("told")
        assert status in (200, 302, 401)
        assert ("set-cookie", "a=é") in found

    assert is_outcome(outcome)
    play(scene, strategies=[Told("told", outcome)])


def test_an_answer_that_is_no_outcome_is_a_fault(play):
    async def scene(inside):
        await inside.user("ann")
        strategy = inside.host.security.strategies["told"]
        for wrong in (None, "ann", Success("ann", session={"a": b"x"}), Pass(to=HALF)):
            strategy.answers = lambda request, state, wrong=wrong: wrong
            response = await inside.ask("auth:login", {}, strategy="told")
            body = {"challenge": response.reply.result["challenge"]["reference"]}
            assert await inside.error("auth:login", body, strategy="told") == "plugin.strategy.invalid_verify_resolve"
        assert len(await inside.rows("tokens")) == 1

    play(scene, strategies=[Told("told", Challenge())])
