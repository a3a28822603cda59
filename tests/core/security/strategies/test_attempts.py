"""Gates: each attempt passes them before its strategy works, and they are told how it ended."""

from __future__ import annotations

import pytest

from tests.core.security.logins.scripts import Told
from visado import errors
from visado.security.strategies.chains import Chain
from visado.strategy import Challenge, Fail, Pass, Success


class Turnstile:
    def __init__(self, name="gate", refuse=()):
        self.name, self.refuse, self.seen = name, refuse, []

    async def enter(self, strategy, subject, request):
        self.seen.append(("enter", strategy, subject))
        if strategy in self.refuse:
            raise errors.TooManyLogins

    async def leave(self, strategy, subject, request, outcome):
        self.seen.append(("leave", strategy, subject, type(outcome).__name__))


class Named(Told):
    def subject(self, request):
        return request.fields["username"].strip().lower()


def test_a_gate_is_entered_before_a_strategy_works_and_left_after(play):
    async def scene(inside):
        strategies = inside.host.security.strategies
        gate = Turnstile()

        def outcome(request):
            gate.seen.append("work")
            return Fail()

        strategies["told"].outcome = outcome
        strategies.gates.append(gate)
        await inside.ask("auth:login", {"username": " Melis"}, strategy="told")
        assert gate.seen == [("enter", "told", "melis"), "work", ("leave", "told", "melis", "Fail")]
        gate.seen.clear()
        strategies["told"].outcome = lambda request: 1 / 0
        assert await inside.error("auth:login", {"username": "x"}, strategy="told") == "plugin.runtime.unexpected_error"
        assert gate.seen == [("enter", "told", "x"), ("leave", "told", "x", "NoneType")]

    play(scene, strategies=[Named("told")])


def test_a_gate_that_refuses_spares_the_strategy_and_the_gates_behind_it(play):
    async def scene(inside):
        strategies, ran = inside.host.security.strategies, []
        first, second, third = Turnstile(), Turnstile(refuse=["told"]), Turnstile()
        strategies["told"].outcome = ran.append
        strategies.gates += [first, second, third]
        assert await inside.error("auth:login", {"username": "x"}, strategy="told") == errors.TooManyLogins.id
        assert ran == []
        assert first.seen == [("enter", "told", "x"), ("leave", "told", "x", "NoneType")]
        assert second.seen == [("enter", "told", "x")]
        assert third.seen == []

    play(scene, strategies=[Named("told")])


def test_each_member_of_a_chain_and_each_strategy_that_is_named_passes(play):
    async def scene(inside):
        await inside.user("ann")
        strategies, gate = inside.host.security.strategies, Turnstile()
        strategies.add(Chain("chain", ["one", "two"], strategies))
        strategies.gates.append(gate)
        assert (await inside.result("auth:login", {"username": "A"}, strategy="chain"))["_id"] == "ann"
        assert gate.seen == [
            ("enter", "chain", None),
            ("enter", "one", None), ("leave", "one", None, "Fail"),
            ("enter", "two", "a"), ("leave", "two", "a", "Pass"),
            ("enter", "three", "a"), ("leave", "three", "a", "Success"),
            ("leave", "chain", None, "Success"),
        ]  # fmt: skip
        gate.seen.clear()
        gate.refuse = ["three"]
        assert await inside.error("auth:login", {"username": "A"}, strategy="chain") == errors.TooManyLogins.id
        assert gate.seen[-1] == ("leave", "chain", None, "NoneType")

    three = Named("three", Success("ann"))
    play(scene, strategies=[Told("one", Fail()), Named("two", Pass(to="three")), three])


def test_an_answer_passes_the_gates(play):
    async def scene(inside):
        strategies, gate = inside.host.security.strategies, Turnstile()
        strategies.gates.append(gate)
        response = await inside.ask("auth:login", {"username": "x"}, strategy="told")
        reference = response.reply.result["challenge"]["reference"]
        await inside.ask("auth:login", {"username": "x", "challenge": reference}, strategy="told")
        assert gate.seen == [
            ("enter", "told", "x"), ("leave", "told", "x", "Challenge"),
            ("enter", "told", "x"), ("leave", "told", "x", "Fail"),
        ]  # fmt: skip

    play(scene, strategies=[Named("told", Challenge(tries=3))])


@pytest.mark.parametrize("wrong", [5, b"x", ["x"], RuntimeError("hidden-cause")])
def test_a_subject_that_raises_or_is_no_text_is_a_fault_before_any_gate(play, wrong):
    def subject(request):
        if isinstance(wrong, Exception):
            raise wrong
        return wrong

    async def scene(inside):
        strategies, gate = inside.host.security.strategies, Turnstile()
        strategies.gates.append(gate)
        strategies["told"].subject = subject
        response = await inside.ask("auth:login", {}, strategy="told")
        assert response.error.id == "plugin.runtime.unexpected_error"
        assert "hidden" not in response.error.text
        assert gate.seen == []

    play(scene, strategies=[Told("told", Success("ann"))])


def test_an_error_of_the_host_that_subject_raises_reaches_the_client(play):
    def subject(request):
        raise errors.MissingArgument(argument="body.username")

    async def scene(inside):
        strategies = inside.host.security.strategies
        strategies.gates.append(Turnstile())
        strategies["told"].subject = subject
        assert await inside.error("auth:login", {}, strategy="told") == errors.MissingArgument.id

    play(scene, strategies=[Told("told", Success("ann"))])
