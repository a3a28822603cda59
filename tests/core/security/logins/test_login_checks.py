"""The registry of login checks, and what a check may return."""

from __future__ import annotations

import asyncio

import pytest

from visado import Accept, Challenge, Fail, LoginCheck, Pass, Redirect, Success, errors
from visado.security.logins.login_checks import LoginChecks


class Check(LoginCheck):
    def __init__(self, name="mine", factor=None, decision=None):
        self.name, self.factor, self.decision = name, factor, decision

    async def check(self, login):
        if isinstance(self.decision, BaseException):
            raise self.decision
        return self.decision


def registry(*checks, unavailable=(), disabled=()):
    made = LoginChecks({*unavailable, *disabled}, set(disabled))
    for each in checks:
        made.add(each, f"plugin-{each.name}")
    return made


def decide(check, **state):
    return asyncio.run(registry(check, **state).decide(check, lambda: check.check(None)))


@pytest.mark.parametrize(
    ("check", "error"),
    [
        (object(), TypeError),
        (Check, TypeError),
        (Check(""), TypeError),
        (Check(None), TypeError),
        (Check(7), TypeError),
        (Check("other", factor=7), TypeError),
        (Check("mine"), ValueError),
    ],
)
def test_what_is_no_check_is_not_registered(check, error):
    checks = registry(Check("mine"))
    with pytest.raises(error):
        checks.add(check, "plugin-other")
    assert [each.name for each in checks] == ["mine"]


def names(groups):
    return [[each.name for each in group] for group in groups]


def test_checks_of_one_factor_are_one_group_in_the_place_of_the_first():
    a, b, c, d, e = (Check(name, factor) for name, factor in zip("abcde", ("x", None, "x", "y", None), strict=True))
    checks = registry(a, b, c, d, e)
    assert names(checks.groups()) == [["a", "c"], ["b"], ["d"], ["e"]]
    assert names(checks.groups(after=a)) == names(checks.groups(after=c)) == [["b"], ["d"], ["e"]]
    assert names(checks.groups(after=e)) == []
    assert names([checks.alternatives(each) for each in (a, b, c, d)]) == [["c"], [], ["a"], []]


def test_a_factor_and_a_check_of_the_same_name_are_no_alternatives():
    assert names(registry(Check("a"), Check("b", "a")).groups()) == [["a"], ["b"]]


def test_a_disabled_check_is_in_no_group_and_a_quarantined_one_is():
    a, b, c = Check("a", "x"), Check("b", "x"), Check("c")
    checks = registry(a, b, c, disabled=["plugin-a"], unavailable=["plugin-b"])
    assert names(checks.groups()) == [["b"], ["c"]]
    assert names(checks.groups(after=a)) == [["c"]], "a client may answer a check that was disabled meanwhile"
    assert checks.alternatives(b) == []
    assert [checks.get_enabled(each) for each in ("a", "b", "c", "d")] == [None, b, c, None]
    disabled = registry(a, disabled=["plugin-a"])
    assert disabled.groups() == []


@pytest.mark.parametrize(
    "decision",
    [
        Accept(),
        Accept({"device": "x"}, frozenset({"otp"}), ("a=b",)),
        Fail("no", ("Basic",), ("a=b",)),
        Challenge({"digits": 6}, {"code": "1"}, "send it", 60, 3, enrols=True),
        Pass(),
    ],
)
def test_decisions(decision):
    assert decide(Check(decision=decision)) is decision


@pytest.mark.parametrize(
    "decision",
    [
        None,
        True,
        "accept",
        Accept,
        Success("ann"),
        Redirect("https://example.org"),
        Pass(to="local"),
        Accept({"x": object()}),
        Accept("data"),
        Accept(methods={"otp"}),
        Accept(methods=frozenset({7})),
        Accept(cookies=("a=b\r\nc: d",)),
        Fail(cookies=["a=b"]),
        Fail(www_authenticate=("x\ny",)),
        Challenge({"x": object()}),
        Challenge(state={"x": object()}),
        Challenge(reason=7),
        Challenge(lifetime=0),
        Challenge(lifetime=3_601),
        Challenge(tries=0),
        Challenge(tries=True),
        Challenge(enrols=1),
    ],
)
def test_what_is_no_decision_accepts_nobody(decision):
    with pytest.raises(errors.InvalidDecision):
        decide(Check(decision=decision))


def test_a_check_that_raises_accepts_nobody():
    with pytest.raises(errors.PluginFailed):
        decide(Check(decision=RuntimeError("secret")))
    with pytest.raises(errors.Forbidden):
        decide(Check(decision=errors.Forbidden()))


def test_a_quarantined_check_is_not_called():
    check = Check(decision=Accept())
    with pytest.raises(errors.CheckOutOfService):
        decide(check, unavailable=["plugin-mine"])


def test_a_deleted_user_is_forgotten_by_checks_of_unavailable_plugins_too():
    forgotten = []

    class Forgets(Check):
        async def forget(self, user_id):
            forgotten.append((self.name, user_id))

    checks = registry(Forgets("a"), Forgets("b"), Forgets("c"), disabled=["plugin-a"], unavailable=["plugin-b"])
    asyncio.run(checks.forget("ann"))
    assert forgotten == [("a", "ann"), ("b", "ann"), ("c", "ann")]
