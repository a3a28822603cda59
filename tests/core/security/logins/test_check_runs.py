"""Login checks of one login: one after the other, and alternatives of one factor."""

from __future__ import annotations

import asyncio

import pytest

from visado import Accept, Challenge, Fail, LoginCheck, Observer, Pass, Strategy, Success, errors

REFUSED = "plugin.strategy.missing_user"
CHALLENGED = "security.login.challenged"


class Anybody(Strategy):
    """Logs in the user that the body names."""

    name = "anybody"

    async def authenticate(self, request):
        return Success(request.fields["user"], methods=frozenset({"pwd"}), session={"door": "front"}, expires_at=None)


class Code(LoginCheck):
    """Asks the users in `enrolled` for `code`, and counts what it was asked; others enrol with `enrolment`."""

    factor = "second"

    def __init__(self, name, *enrolled, offers=False, factor="second", **challenge):
        self.name, self.enrolled, self.offers, self.factor = name, set(enrolled), offers, factor
        self.challenge, self.asked, self.answered = challenge, 0, 0
        self.says = None

    async def check(self, login):
        self.asked += 1
        if isinstance(self.says, Exception):
            raise self.says
        if self.says is not None:
            return self.says
        if login.user.id in self.enrolled:
            return Challenge({"by": self.name}, {"code": f"{self.name}-code"}, f"ask {self.name}", **self.challenge)
        if self.offers:
            return Challenge({"enrol": True}, {"code": f"{self.name}-enrols"}, enrols=True, **self.challenge)
        return Pass()

    async def answer(self, login, state):
        self.answered += 1
        code = login.request.fields.get("code")
        if code == "more":
            return Challenge({"by": self.name, "more": True}, state, f"more of {self.name}", **self.challenge)
        if code == "pass":
            return Pass()
        if code != state["code"]:
            return Fail("wrong code")
        self.enrolled.add(login.user.id)
        return Accept({"via": self.name}, frozenset({"otp"}))


class Ear(Observer):
    def __init__(self):
        self.heard = []

    async def observe(self, event):
        self.heard.append(event)


class Door:
    """A host with login checks, each of a plugin `plugin-NAME`."""

    def __init__(self, inside, checks):
        self.inside, self.security, self.plugins = inside, inside.host.security, inside.host.plugins
        for each in checks:
            self.security.login_checks.add(each, f"plugin-{each.name}")
        self.ear = Ear()
        self.security.observers.add(self.ear, "ear")

    async def send(self, **body):
        response = await self.inside.ask("auth:login", body, strategy="anybody")
        return response.error if response.error is not None else response.reply.result

    async def login(self, user="ann"):
        return await self.send(user=user)

    async def challenge(self, user="ann"):
        error = await self.login(user)
        assert error.id == CHALLENGED, error
        return error.challenge

    async def answer(self, challenge, code, check=None):
        named = {} if check is None else {"check": check}
        return await self.send(challenge=challenge["reference"], code=code, **named)

    def quarantine(self, name):
        self.plugins.unavailable.add(f"plugin-{name}")

    def disable(self, name):
        self.plugins.unavailable.add(f"plugin-{name}")
        self.plugins.disabled.add(f"plugin-{name}")

    @property
    def events(self):
        return [(each.kind, getattr(each, "check", None)) for each in self.ear.heard]


@pytest.fixture
def doors(play):
    """Run a scene with a `Door` that has these checks, and the users ann, bob and cem."""

    def run(scene, *checks, **given):
        async def main(inside):
            for name in ("ann", "bob", "cem"):
                await inside.user(name)
            return await scene(Door(inside, checks))

        given["plugins"] = {"disabled": ["audit"]}
        return play(main, strategies=[Anybody()], **given)

    return run


def is_token(result):
    return isinstance(result, dict) and "jwt" in result


def is_refused(result, id_=REFUSED):
    return isinstance(result, errors.VisadoError) and result.id == id_


# Checks without a factor


def test_each_check_is_asked_in_turn_and_the_token_says_how_the_user_proved_it(doors):
    async def scene(door):
        first = await door.challenge()
        assert (first["check"], "choices" in first) == ("a", False)
        second = (await door.answer(first, "a-code")).challenge
        assert second["check"] == "b"
        result = await door.answer(second, "b-code")
        token = await door.security.tokens.verify(result["jwt"])
        assert (token.user_id, token.strategy, set(token.methods)) == ("ann", "anybody", {"pwd", "otp"})
        assert dict(token.session) == {"door": "front"}
        assert door.events == [("login.challenged", "a"), ("login.challenged", "b"), ("login.succeeded", None)]

    doors(scene, Code("a", "ann", factor=None), Code("b", "ann", factor=None))


@pytest.mark.parametrize("named", ["b", "c", "totp", "", None, 1, ["a"], {"a": 1}])
def test_an_answer_reaches_no_check_that_did_not_challenge(doors, named):
    checks = [Code("a", "ann", factor=None), Code("b", "ann", factor=None), Code("c", factor=None)]

    async def scene(door):
        first = await door.challenge()
        reply = {"challenge": first["reference"], "code": "b-code", "check": named}
        assert is_refused(await door.send(**reply))
        assert [each.answered for each in checks] == [0, 0, 0]
        assert is_refused(await door.answer(first, "a-code")), "the answer used the reference up"

    doors(scene, *checks)


def test_to_pass_is_no_answer(doors):
    async def scene(door):
        assert is_refused(await door.answer(await door.challenge(), "pass"))

    doors(scene, Code("a", "ann"))


# Alternatives


@pytest.mark.parametrize(("check", "code"), [(None, "a-code"), ("a", "a-code"), ("b", "b-code")])
def test_one_of_two_alternatives_is_enough(doors, check, code):
    async def scene(door):
        challenge = await door.challenge()
        assert (challenge["check"], challenge["data"]) == ("a", {"by": "a"})
        assert challenge["choices"] == [
            {"check": "a", "reason": "ask a", "data": {"by": "a"}},
            {"check": "b", "reason": "ask b", "data": {"by": "b"}},
        ]
        result = await door.answer(challenge, code, check)
        assert is_token(result)
        assert result["via"] == code[0]
        for other in ("a", "b"):
            assert is_refused(await door.answer(challenge, f"{other}-code", other)), "the siblings are void"

    doors(scene, Code("a", "ann"), Code("b", "ann"))


def test_a_login_needs_only_an_alternative_that_concerns_the_user(doors):
    async def scene(door):
        assert (await door.challenge("ann"))["check"] == "a"
        challenge = await door.challenge("bob")
        assert (challenge["check"], "choices" in challenge) == ("b", False)
        assert is_refused(await door.answer(challenge, "a-code", "a")), "it was not offered"
        assert is_token(await door.login("cem"))

    doors(scene, Code("a", "ann"), Code("b", "bob"))


@pytest.mark.parametrize(("check", "code"), [("b", "a-code"), ("a", "b-code")])
def test_the_code_of_one_alternative_is_none_of_the_other(doors, check, code):
    async def scene(door):
        assert is_refused(await door.answer(await door.challenge(), code, check))

    doors(scene, Code("a", "ann"), Code("b", "ann"))


def test_an_alternative_that_accepts_at_once_is_enough_and_one_that_refuses_ends_the_login(doors):
    a, b = Code("a", "ann"), Code("b", "ann")

    async def scene(door):
        a.says = Accept(methods=frozenset({"hwk"}))
        assert is_token(await door.login())
        a.says, b.says = None, Accept()
        assert is_token(await door.login())
        a.says, b.says = Accept(), Fail("not you")
        assert is_refused(await door.login())
        a.says, b.says = Fail("not you"), Accept()
        assert is_refused(await door.login())

    doors(scene, a, b)


def test_a_further_step_keeps_the_other_choice(doors):
    async def scene(door):
        first = await door.challenge()
        second = (await door.answer(first, "more", "b")).challenge
        assert (second["check"], second["data"]) == ("b", {"by": "b", "more": True})
        assert [each["check"] for each in second["choices"]] == ["b", "a"]
        assert second["expiresAt"] <= first["expiresAt"]
        assert is_refused(await door.answer(first, "a-code", "a")), "the earlier reference is used"
        assert is_token(await door.answer(second, "a-code", "a"))

    doors(scene, Code("a", "ann", lifetime=60), Code("b", "ann", lifetime=300))


def test_checks_after_a_factor_are_still_asked(doors):
    async def scene(door):
        last = (await door.answer(await door.challenge(), "b-code", "b")).challenge
        assert (last["check"], "choices" in last) == ("z", False)
        assert is_refused(await door.answer(last, "a-code", "a"))
        last = (await door.answer(await door.challenge(), "a-code", "a")).challenge
        assert is_token(await door.answer(last, "z-code"))

    doors(scene, Code("a", "ann"), Code("b", "ann"), Code("z", "ann", factor=None))


# Offers to enrol


def test_an_offer_counts_only_where_no_other_alternative_challenges(doors):
    async def scene(door):
        challenge = await door.challenge("ann")
        assert (challenge["check"], "choices" in challenge) == ("b", False)
        assert is_refused(await door.answer(challenge, "a-enrols", "a")), "it would replace what ann has"
        challenge = await door.challenge("bob")
        assert [each["check"] for each in challenge["choices"]] == ["a", "b"]
        assert is_token(await door.answer(challenge, "b-enrols", "b"))
        assert (await door.challenge("bob"))["check"] == "b"

    doors(scene, Code("a", offers=True), Code("b", "ann", offers=True))


@pytest.mark.parametrize("check", ["a", "b"])
def test_an_offer_is_void_once_the_user_enrolled_at_an_alternative(doors, check):
    async def scene(door):
        late, prompt = await door.challenge(), await door.challenge()
        other = {"a": "b", "b": "a"}[check]
        assert is_token(await door.answer(prompt, f"{other}-enrols", other))
        assert is_refused(await door.answer(late, f"{check}-enrols", check))
        assert (await door.challenge())["check"] == other

    doors(scene, Code("a", offers=True), Code("b", offers=True))


def test_a_wrong_step_of_an_offer_keeps_the_other_offer(doors):
    async def scene(door):
        second = (await door.answer(await door.challenge(), "more", "a")).challenge
        assert [each["check"] for each in second["choices"]] == ["a", "b"]
        assert is_token(await door.answer(await door.challenge("bob"), "b-enrols", "b"))
        assert is_token(await door.answer(second, "b-enrols", "b"))

    doors(scene, Code("a", offers=True), Code("b", offers=True))


# Plugins that do not work


@pytest.mark.parametrize("user", ["ann", "bob", "cem"])
@pytest.mark.parametrize("broken", ["a", "b"])
def test_no_login_succeeds_without_a_quarantined_alternative(doors, user, broken):
    async def scene(door):
        door.quarantine(broken)
        assert is_refused(await door.login(user), "plugin.check.out_of_service")

    doors(scene, Code("a", "ann"), Code("b", "bob"))


def test_a_quarantined_alternative_answers_nothing_and_the_other_one_does(doors):
    async def scene(door):
        first, second = await door.challenge(), await door.challenge()
        door.quarantine("a")
        assert is_refused(await door.answer(first, "a-code", "a"), "plugin.check.out_of_service")
        assert is_token(await door.answer(second, "b-code", "b"))

    doors(scene, Code("a", "ann"), Code("b", "ann"))


def test_no_offer_counts_while_an_alternative_is_quarantined(doors):
    async def scene(door):
        challenge = await door.challenge()
        door.quarantine("a")
        assert is_refused(await door.answer(challenge, "b-enrols", "b"), "plugin.check.out_of_service")

    doors(scene, Code("a"), Code("b", offers=True))


def test_an_alternative_that_the_operator_disabled_is_not_asked(doors):
    a = Code("a", "ann")

    async def scene(door):
        first, second = await door.challenge(), await door.challenge()
        door.disable("a")
        assert is_refused(await door.answer(first, "a-code", "a"))
        assert a.answered == 0
        again = (await door.answer(second, "more", "b")).challenge
        assert "choices" not in again
        assert is_token(await door.answer(again, "b-code"))
        assert (await door.challenge())["check"] == "b"
        door.disable("b")
        assert is_token(await door.login())

    doors(scene, a, Code("b", "ann"))


# How often, and for how long


@pytest.mark.parametrize("checks", [("a", "a"), ("a", "b"), ("b", "b")])
def test_of_parallel_answers_one_gets_a_token(doors, checks):
    async def scene(door):
        challenge = await door.challenge()
        results = await asyncio.gather(*(door.answer(challenge, f"{each}-code", each) for each in checks * 5))
        assert sum(is_token(each) for each in results) == 1
        assert sum(is_refused(each) for each in results) == 9

    doors(scene, Code("a", "ann", tries=20), Code("b", "ann", tries=20))


@pytest.mark.parametrize(("tries", "count"), [((1, 5), 1), ((5, 1), 1), ((3, 5), 3), ((2, 2), 2)])
@pytest.mark.parametrize("check", ["a", "b"])
def test_a_challenge_takes_the_smallest_number_of_wrong_answers(doors, tries, count, check):
    """A code that may be guessed once cannot be guessed five times because another check allows that."""
    a, b = Code("a", "ann", tries=tries[0]), Code("b", "ann", tries=tries[1])

    async def scene(door):
        challenge = await door.challenge()
        for _ in range(count):
            assert is_refused(await door.answer(challenge, "guess", check))
        assert is_refused(await door.answer(challenge, f"{check}-code", check))
        assert a.answered + b.answered == count
        challenge = await door.challenge()
        for _ in range(count - 1):
            await door.answer(challenge, "guess", check)
        assert is_token(await door.answer(challenge, f"{check}-code", check))

    doors(scene, a, b)


def test_a_further_step_of_one_check_gives_the_other_no_new_tries(doors):
    b = Code("b", "ann", tries=3)

    async def scene(door):
        challenge = await door.challenge()
        guesses = 0
        for _ in range(10):
            assert is_refused(await door.answer(challenge, "guess", "b"))
            guesses = b.answered
            more = await door.answer(challenge, "more", "a")
            if not is_refused(more, CHALLENGED):
                break
            challenge = more.challenge
        assert guesses <= 3

    doors(scene, Code("a", "ann", tries=3), b)


def test_the_shortest_lifetime_counts(doors):
    async def scene(door):
        challenge, late = await door.challenge(), await door.challenge()
        door.inside.clock.now += 29_999
        assert is_token(await door.answer(challenge, "b-code", "b"))
        door.inside.clock.now += 1
        for each in ("a", "b"):
            assert is_refused(await door.answer(late, f"{each}-code", each))

    doors(scene, Code("a", "ann", lifetime=30), Code("b", "ann", lifetime=300))


def test_a_deleted_user_answers_nothing(doors):
    async def scene(door):
        challenge = await door.challenge()
        await door.security.accounts.delete("ann")
        assert is_refused(await door.answer(challenge, "a-code", "a"))
        assert is_refused(await door.answer(challenge, "b-code", "b"))

    doors(scene, Code("a", "ann"), Code("b", "ann"))


def test_observers_hear_of_each_refused_answer(doors):
    async def scene(door):
        await door.answer(await door.challenge(), "guess", "b")
        refused = door.ear.heard[-1]
        assert (refused.kind, refused.target, refused.reason) == ("login.refused", "ann", REFUSED)
        await door.answer(await door.challenge(), "guess", "no such check")
        refused = door.ear.heard[-1]
        assert (refused.kind, refused.target, refused.reason) == ("login.refused", "ann", REFUSED)

    doors(scene, Code("a", "ann"), Code("b", "ann"))


def test_a_check_whose_limit_is_reached_leaves_the_choice_to_the_others_and_no_offer_takes_its_place(doors):
    code, key, offer = Code("a", "ann"), Code("b", "ann"), Code("c", offers=True)

    async def scene(door):
        code.says = errors.TooManyLogins()
        challenge = await door.challenge()
        assert (challenge["check"], "choices" in challenge) == ("b", False)
        assert is_token(await door.answer(challenge, "b-code"))
        key.enrolled.clear()
        assert is_refused(await door.login(), errors.TooManyLogins.id)

    doors(scene, code, key, offer)
