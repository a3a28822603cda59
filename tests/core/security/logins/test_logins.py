"""Outcomes of a strategy, over HTTP and WebSocket: what becomes of each member."""

from __future__ import annotations

import asyncio

import jwt
import pytest

from tests.core.controllers.over_http import header
from visado import errors
from visado.login_check import Accept, LoginCheck
from visado.security.tokens.issuing import TokenOrigin
from visado.strategy import Challenge, Fail, Identity, Pass, Redirect, Success

from .scripts import Browser, Told, error, listen, socket, values

HOUR = 3_600_000


def told(outcome=None, answer=None, name="told", **members):
    return Told(name, outcome, answer, **members)


# -- success


def test_a_success_has_its_data_headers_cookies_and_session(play):
    success = Success(
        "ann",
        methods=frozenset({"pwd", "hwk"}),
        session={"index": "7", "deep": {"a": [1]}},
        data={"greeting": "hello", "jwt": "forged", "_id": "forged"},
        headers={"WWW-Authenticate": "Negotiate abc", "authentication-info": "rspauth=1"},
        cookies=("a=1; Path=/", "b=2"),
    )

    async def scene(inside):
        await inside.user("ann")
        status, found, answer = await Browser(inside).login("told")
        result = answer["result"]
        assert (status, result["_id"], result["greeting"]) == (200, "ann", "hello")
        assert result["jwt"].startswith("kauth-")
        assert values(found, "www-authenticate") == ["Negotiate abc"]
        assert values(found, "authentication-info") == ["rspauth=1"]
        assert values(found, "set-cookie") == ["a=1; Path=/", "b=2"]
        token = await inside.host.security.tokens.verify(result["jwt"])
        assert (token.strategy, token.methods) == ("told", {"pwd", "hwk"})
        assert token.session == {"index": "7", "deep": {"a": [1]}}
        inside.host.security.tokens.verified.remove(token.id)
        assert await inside.host.security.tokens.verify(result["jwt"]) == token
        refreshed = await inside.result("auth:refreshToken", token=result["jwt"])
        later = await inside.host.security.tokens.verify(refreshed["jwt"])
        assert (later.strategy, later.methods, later.session) == (token.strategy, token.methods, token.session)

    play(scene, strategies=[told(success)])


def test_a_success_with_a_location_sends_a_browser_there_and_a_socket_nowhere(play):
    success = Success("ann", location="https://app.example/ä?q=a b", data={"greeting": "hello"})

    async def scene(inside):
        await inside.user("ann")
        browser = Browser(inside)
        status, found, _ = await browser.login("told")
        assert status == 302
        assert header(found, "location") == "https://app.example/%C3%A4?q=a%20b"
        assert browser.jar["authToken"].startswith("kauth-")
        result = await inside.result("auth:login", {}, strategy="told", connection=socket())
        assert (result["_id"], result["greeting"]) == ("ann", "hello")
        assert "headers" not in result

    play(scene, strategies=[told(success)])


def test_a_token_ends_with_the_session(play):
    async def scene(inside):
        await inside.user("ann")
        ends = inside.clock.now + HOUR
        inside.host.security.strategies["told"].outcome = Success("ann", expires_at=ends)
        for asked in (None, "2h", -1):
            body = {} if asked is None else {"expiresIn": asked}
            result = await inside.result("auth:login", body, strategy="told")
            assert result["expiresAt"] == ends
            assert result["ttl"] == HOUR
        short = await inside.result("auth:login", {"expiresIn": "1m"}, strategy="told")
        assert short["ttl"] == 60_000
        inside.clock.now += HOUR // 2
        refreshed = await inside.result("auth:refreshToken", token=result["jwt"], expiresIn="10h")
        assert refreshed["expiresAt"] == ends
        for single in (False, True):
            further = await inside.result("auth:createToken", token=refreshed["jwt"], expiresIn="10h", singleUse=single)
            assert further["expiresAt"] == ends
        again = await inside.result("auth:createToken", token=further["token"], expiresIn="10h")
        assert again["expiresAt"] == ends
        inside.clock.now = ends
        assert await inside.error("auth:getCurrentUser", token=again["token"]) == "security.token.invalid"
        assert await inside.error("auth:login", {}, strategy="told") == "plugin.strategy.missing_user"

    play(scene, strategies=[told()])


@pytest.mark.parametrize("ends", [0, -1, 1])
def test_a_session_that_has_ended_becomes_no_token(play, ends):
    async def scene(inside):
        await inside.user("ann")
        assert await inside.error("auth:login", {}, strategy="told") == "plugin.strategy.missing_user"
        assert len(await inside.rows("tokens")) == 1  # that of `inside.user`

    play(scene, strategies=[told(Success("ann", expires_at=ends))])


# -- fail and pass


def test_every_refusal_may_ask_for_credentials_in_several_headers(play):
    fail = Fail("no", www_authenticate=("Negotiate", 'Basic realm="x"'), cookies=("seen=1",))

    async def scene(inside):
        status, found, answer = await Browser(inside).login("told")
        assert (status, error(answer), answer["error"]["message"]) == (401, "plugin.strategy.missing_user", "no")
        assert values(found, "www-authenticate") == ["Negotiate", 'Basic realm="x"']
        assert values(found, "set-cookie") == ["seen=1"]
        inside.host.security.strategies["told"].outcome = Challenge(
            www_authenticate=("Negotiate abc",), cookies=("c=1",)
        )
        status, found, answer = await Browser(inside).login("told")
        assert (status, error(answer)) == (401, "security.login.challenged")
        assert values(found, "www-authenticate") == ["Negotiate abc"]
        assert values(found, "set-cookie") == ["c=1"]

    play(scene, strategies=[told(fail)])


def test_a_chain_adds_up_what_its_members_ask_for(play):
    members = [
        told(Fail("one", www_authenticate=("Negotiate", "Basic"), cookies=("a=1",)), name="one"),
        told(Pass(), name="two"),
        told(Fail("three", www_authenticate=("Basic", "Digest"), cookies=("b=2",)), name="three"),
    ]

    async def scene(inside):
        from visado.security.strategies.chains import Chain

        strategies = inside.host.security.strategies
        strategies.add(Chain("all", ["one", "two", "three"], strategies))
        status, found, answer = await Browser(inside).login("all")
        assert (status, answer["error"]["message"]) == (401, "one; three")
        assert values(found, "www-authenticate") == ["Negotiate", "Basic", "Digest"]
        assert values(found, "set-cookie") == ["a=1", "b=2"]
        strategies["three"].outcome = Challenge(www_authenticate=("Basic", "SCRAM"), cookies=("a=1", "d=4"))
        _, found, answer = await Browser(inside).login("all")
        assert error(answer) == "security.login.challenged"
        assert values(found, "www-authenticate") == ["Negotiate", "Basic", "SCRAM"]
        assert values(found, "set-cookie") == ["a=1", "d=4"]
        for each in strategies["one"], strategies["three"]:
            each.outcome = Pass()
        status, found, answer = await Browser(inside).login("all")
        assert (status, answer["error"]["message"]) == (401, "Missing credentials")
        await inside.user("ann")
        strategies["one"].outcome, strategies["three"].outcome = (
            Fail(cookies=("a=1",)),
            Success("ann", cookies=("b=2",)),
        )
        status, found, _ = await Browser(inside).login("all")
        assert (status, values(found, "set-cookie")) == (200, ["a=1", "b=2"])

    play(scene, strategies=members)


def test_pass_names_another_strategy(play):
    async def scene(inside):
        await inside.user("ann")
        strategies = inside.host.security.strategies
        result = await inside.result("auth:login", {}, strategy="told")
        token = await inside.host.security.tokens.verify(result["jwt"])
        assert token.strategy == "other"
        strategies["told"].outcome = Pass(to="nobody")
        assert await inside.error("auth:login", {}, strategy="told") == "security.credentials.unknown_strategy"
        strategies["told"].outcome, strategies["other"].outcome = Pass(to="other"), Pass(to="told")
        assert await inside.error("auth:login", {}, strategy="told") == "plugin.strategy.invalid_verify_resolve"
        strategies["told"].outcome = Pass(to="told")
        assert await inside.error("auth:login", {}, strategy="told") == "plugin.strategy.invalid_verify_resolve"

    play(scene, strategies=[told(Pass(to="other")), told(Success("ann"), name="other")])


def test_pass_to_a_chain_and_back_is_a_circle_that_holds_no_place(play):
    """A chain waited for a member that passed to the chain: each round held one of its places, until none was left."""

    async def scene(inside):
        from visado.security.strategies.chains import Chain

        await inside.user("ann")
        strategies = inside.host.security.strategies
        strategies.add(Chain("chain", ["told"], strategies))
        for asked in ("chain", "told"):
            assert await inside.error("auth:login", {}, strategy=asked) == "plugin.strategy.invalid_verify_resolve"
        strategies["told"].outcome = lambda request: inside.host.security.host.strategies.attempt("told", request)
        assert await inside.error("auth:login", {}, strategy="told") == "plugin.strategy.invalid_verify_resolve"
        strategies["told"].outcome = Success("ann")
        strategies.add(told(Pass(to="chain"), name="door"))
        assert (await inside.result("auth:login", {}, strategy="door"))["_id"] == "ann"

    play(scene, strategies=[told(Pass(to="chain"))])


def test_pass_to_a_strategy_of_an_unavailable_plugin_is_refused(play):
    async def scene(inside):
        security = inside.host.security
        security.strategies.add(told(Success("ann"), name="gone"), "local")
        await inside.user("ann")
        assert await inside.error("auth:login", {}, strategy="told") is None
        inside.host.plugins.quarantine_unopened("local", "it broke")
        assert await inside.error("auth:login", {}, strategy="told") == "security.credentials.unknown_strategy"

    play(scene, strategies=[told(Pass(to="gone"))])


# -- logins that begin on one page and end later


def test_a_user_whose_tokens_were_revoked_between_two_steps_gets_none(play):
    """An old password passed the first step; the new password revoked all tokens before the second one."""

    async def scene(inside):
        await inside.user("ann")
        tokens = inside.host.security.tokens
        first = (await inside.ask("auth:login", {}, strategy="told")).reply.result["challenge"]
        inside.clock.now += 1
        await tokens.revoke_all("ann")
        inside.clock.now += 1
        body = {"challenge": first["reference"]}
        response = await inside.ask("auth:login", body, strategy="told")
        assert response.error.id == "plugin.strategy.missing_user"
        assert "revoked" in response.error.text
        assert await inside.rows("tokens") == {}
        second = (await inside.ask("auth:login", {}, strategy="told")).reply.result["challenge"]
        assert (await inside.result("auth:login", {"challenge": second["reference"]}, strategy="told"))["_id"] == "ann"
        inside.clock.now += 2 * 86_400_000
        await tokens.revoked.purge()
        assert await inside.rows("revocations") == {}

    play(scene, strategies=[told(Challenge(), Success("ann"))])


def test_the_revocation_is_remembered_over_a_restart(play, tmp_path):
    folder = tmp_path / "host"
    strategies = [told(Challenge(), Success("ann"))]
    kept = {}

    async def before(inside):
        await inside.user("ann")
        response = await inside.ask("auth:login", {}, strategy="told")
        kept["reference"], kept["clock"] = response.reply.result["challenge"]["reference"], inside.clock
        inside.clock.now += 1
        await inside.host.security.tokens.revoke_all("ann")

    async def after(inside):
        inside.clock.now += 1
        body = {"challenge": kept["reference"]}
        assert await inside.error("auth:login", body, strategy="told") == "plugin.strategy.missing_user"
        assert await inside.rows("tokens") == {}

    play(before, folder=folder, strategies=strategies)
    play(after, folder=folder, strategies=[told(Challenge(), Success("ann"))], clock=kept["clock"])


def test_a_lifetime_that_is_nonsense_is_refused_before_the_login_is_stored(play):
    async def scene(inside):
        for lifetime in ("soon", {"a": 1}, [], "x" * 1_000, True):
            assert await inside.error("auth:login", {"expiresIn": lifetime}, strategy="told") == (
                "api.assert.invalid_argument"
            )
        assert await inside.rows("challenges") == {}
        response = await inside.ask("auth:login", {"expiresIn": "1m"}, strategy="told")
        reference = response.reply.result["challenge"]["reference"]
        await inside.user("ann")
        result = await inside.result("auth:login", {"challenge": reference, "expiresIn": "9h"}, strategy="told")
        assert result["ttl"] == 60_000

    play(scene, strategies=[told(Challenge(), Success("ann"))])


# -- impersonation


class Never(LoginCheck):
    name = "never"

    async def check(self, login):
        return Fail("a second factor")


def act(user="ann", actor="boss", **more):
    return told(Success(user, actor=actor, **more))


async def boss(inside, *profiles):
    return await inside.user("boss", *(profiles or ["admin"]))


async def acting(inside, profiles=("admin",), user_profiles=("admin",)):
    """Log in as ann, by boss; return the token."""
    token = await inside.user("boss", *profiles)
    await inside.user("ann", *user_profiles)
    return (await inside.result("auth:login", {}, strategy="told", token=token))["jwt"]


def test_only_who_is_signed_in_may_be_the_actor(play):
    async def scene(inside):
        token = await boss(inside)
        other, ann = await inside.user("other", "admin"), await inside.user("ann")
        for sent in (None, other, ann):
            assert await inside.error("auth:login", {}, strategy="told", token=sent) == "plugin.strategy.missing_user"
        assert await inside.error("auth:login", {}, strategy="self", token=token) == "plugin.strategy.missing_user"
        assert await inside.error("auth:login", {}, strategy="nobody", token=token) == "plugin.strategy.missing_user"
        result = await inside.result("auth:login", {}, strategy="told", token=token)
        claims = jwt.decode(result["jwt"].removeprefix("kauth-"), options={"verify_signature": False})
        assert (claims["_id"], claims["act"]) == ("ann", {"sub": "boss"})
        assert (await inside.host.security.tokens.verify(result["jwt"])).actor == "boss"
        own = await inside.result("auth:createToken", token=token)
        assert "act" not in jwt.decode(own["token"].removeprefix("kauth-"), options={"verify_signature": False})

    others = [told(Success("boss", actor="boss"), name="self"), told(Success("-1", actor="boss"), name="nobody")]
    play(scene, strategies=[act(), *others])


def test_an_actor_who_is_refused_makes_no_user(play):
    from visado.strategy import AccountRules

    strategy = told(Success(Identity("x"), actor="boss"), accounts=AccountRules(auto_create=True))

    async def scene(inside):
        assert await inside.error("auth:login", {}, strategy="told") == "plugin.strategy.missing_user"
        assert await inside.rows("users") == {}

    play(scene, strategies=[strategy])


def test_impersonation_asks_for_no_second_factor_and_is_told_at_each_use(play):
    async def scene(inside):
        ears = listen(inside)
        inside.host.security.login_checks.add(Never())
        token = await acting(inside)
        (at_login,) = ears.kinds("impersonated")
        assert (at_login.actor, at_login.target, at_login.action) == ("boss", "ann", "auth:login")
        (login,) = ears.kinds("login.succeeded")
        assert (login.actor, login.target) == ("boss", "ann")
        browser = Browser(inside, token=token)
        for used in range(1, 5):  # the response of a user itself comes from the cache at the third request
            status, _, answer = await browser.send("GET", "/_me")
            assert (status, answer["result"]["_id"]) == (200, "ann")
            uses = [each for each in ears.kinds("impersonated") if each.action == "auth:getCurrentUser"]
            assert (len(uses), uses[-1].actor, uses[-1].target) == (used, "boss", "ann")
        await inside.result("auth:updateSelf", {"name": "Ann"}, token=token)
        (changed,) = ears.kinds("user.updated")
        assert (changed.actor, changed.target) == ("boss", "ann")

    play(scene, strategies=[act()])


def test_an_actor_is_never_told_of_as_the_user_where_it_is_refused(play):
    async def scene(inside):
        ears = listen(inside)
        token = await acting(inside)
        body = {"description": "mine"}
        assert await inside.error("auth:createApiKey", body, token=token) == "security.rights.forbidden"
        (denied,) = ears.kinds("access.denied")
        assert (denied.actor, denied.target) == ("boss", "auth:createApiKey")

    play(scene, strategies=[act()])


@pytest.mark.parametrize(
    ("action", "args"),
    [
        ("auth:createMyCredentials", {"strategy": "local"}),
        ("auth:updateMyCredentials", {"strategy": "local"}),
        ("auth:deleteMyCredentials", {"strategy": "local"}),
        ("auth:createApiKey", {}),
        ("auth:deleteApiKey", {"_id": "x"}),
        ("auth:link", {"strategy": "told"}),
    ],
)
@pytest.mark.parametrize("mode", ["full", "within-actor"])
def test_personal_actions_are_the_users_own(play, action, args, mode):
    async def scene(inside):
        token = await acting(inside)
        assert await inside.error(action, {}, token=token, **args) == "security.rights.forbidden"
        controller, _, name = action.partition(":")
        asked = {"controller": controller, "action": name}
        assert (await inside.result("auth:checkRights", asked, token=token))["allowed"] is False

    play(scene, strategies=[act()], security={"impersonation": mode})


def test_an_actor_does_no_more_than_it_may_itself(play):
    async def scene(inside):
        controllers = {"auth": {"actions": {"*": True}}, "server": {"actions": {"info": False, "*": True}}}
        await inside.result("security:createRole", {"controllers": controllers}, _id="narrow")
        await inside.result("security:createProfile", {"policies": [{"roleId": "narrow"}]}, _id="narrow")
        token = await acting(inside, profiles=("narrow",))
        assert await inside.error("auth:updateSelf", {"name": "A"}, token=token) is None
        asked = {"_id": "ann"}
        assert await inside.error("security:getUser", token=token, **asked) == "security.rights.forbidden"
        for controller, action, allowed in (
            ("security", "getUser", False), ("auth", "updateSelf", True), ("server", "info", False), ("server", "now", True),
            ("auth", "getLoginForms", True),
        ):  # fmt: skip
            body = {"controller": controller, "action": action}
            assert (await inside.result("auth:checkRights", body, token=token))["allowed"] is allowed, action
        hits = (await inside.result("auth:getMyRights", token=token))["hits"]
        rights = {(each["controller"], each["action"]): each["value"] for each in hits}
        assert rights["auth", "*"] == "allowed"
        assert rights["server", "info"] == "denied"
        assert ("security", "*") not in rights
        assert rights.get(("*", "*"), "denied") == "denied"

    play(scene, strategies=[act()])


def test_with_full_impersonation_an_actor_does_what_the_user_may(play):
    async def scene(inside):
        token = await acting(inside, profiles=("default",))
        await inside.restrict()
        asked = {"_id": "ann"}
        assert await inside.error("security:getUser", token=token, **asked) is None
        body = {"controller": "security", "action": "getUser"}
        assert (await inside.result("auth:checkRights", body, token=token))["allowed"] is True
        hits = (await inside.result("auth:getMyRights", token=token))["hits"]
        assert {"controller": "*", "action": "*", "index": "*", "collection": "*", "value": "allowed"} in hits

    play(scene, strategies=[act()], security={"impersonation": "full"})


def test_further_tokens_carry_the_actor_and_an_actor_does_not_act_through_another(play):
    async def scene(inside):
        token = await acting(inside)
        further = (await inside.result("auth:createToken", token=token))["token"]
        single = (await inside.result("auth:createToken", token=token, singleUse=True))["token"]
        refreshed = (await inside.result("auth:refreshToken", token=token))["jwt"]
        for each in (further, single, refreshed):
            claims = jwt.decode(each.removeprefix("kauth-"), options={"verify_signature": False})
            assert claims["act"] == {"sub": "boss"}
            assert await inside.error("auth:createApiKey", {}, token=each) == "security.rights.forbidden"
        inside.host.security.strategies["told"].outcome = Success("boss", actor="ann")
        assert await inside.error("auth:login", {}, strategy="told", token=further) == "plugin.strategy.missing_user"

    play(scene, strategies=[act()])


def test_deleting_or_revoking_the_actor_ends_what_it_does_as_another(play):
    async def scene(inside):
        token = await acting(inside)
        before = set(await inside.rows("tokens"))
        await inside.host.security.tokens.revoke_all("boss")
        assert await inside.error("auth:getCurrentUser", token=token) == "security.token.invalid"
        kept = await inside.rows("tokens")
        assert {each["userId"] for each in kept.values()} == {"ann"}
        assert len(before) - len(kept) == 2
        boss_token = await inside.token("boss")
        token = (await inside.result("auth:login", {}, strategy="told", token=boss_token))["jwt"]
        await inside.host.security.users.delete("boss")  # past `Accounts`: the tokens stay
        assert await inside.error("auth:getCurrentUser", token=token) == "security.rights.forbidden"
        assert (await inside.error("auth:getMyRights", token=token)) == "security.rights.forbidden"

    play(scene, strategies=[act()])


def test_an_actor_with_a_limited_token_acts_no_wider(play):
    async def scene(inside):
        tokens = inside.host.security.tokens
        await inside.user("ann", "admin")
        await boss(inside)
        origin = TokenOrigin("told", allow=frozenset({"auth:login", "auth:getCurrentUser"}))
        limited = (await tokens.create("boss", origin=origin)).text
        token = (await inside.result("auth:login", {}, strategy="told", token=limited))["jwt"]
        assert await inside.error("auth:getCurrentUser", token=token) is None
        assert await inside.error("security:getUser", token=token, _id="ann") == "security.rights.forbidden"

    play(scene, strategies=[act()])


# -- logins and logouts


def test_a_logout_tells_the_strategy_that_made_the_token_alone(play):
    one, two = told(Success("ann", session={"index": "7"}), name="one"), told(Success("ann"), name="two")

    async def scene(inside):
        await inside.user("ann")
        token = (await inside.result("auth:login", {}, strategy="one"))["jwt"]
        token = (await inside.result("auth:refreshToken", token=token))["jwt"]
        await inside.result("auth:logout", token=token)
        assert (one.heard, two.heard) == ([("logout", {"index": "7"})], [])
        further = await inside.result("auth:login", {}, strategy="one")
        further = (await inside.result("auth:createToken", token=further["jwt"]))["token"]
        assert await inside.result("auth:logout", token=further) == {"acknowledged": True}
        assert len(one.heard) == 1
        login = (await inside.result("auth:login", {}, strategy="one"))["jwt"]
        further = (await inside.result("auth:createToken", token=login))["token"]
        assert await inside.host.security.host.tokens.revoke_of("one", index="7") >= 2  # the provider ends the session
        for token in (login, further):
            assert await inside.error("auth:getCurrentUser", token=token) == "security.token.invalid"
        for wrong in (5, ["x"], "https://idp.example/\ud800", RuntimeError("hidden")):

            async def logout(request, session, wrong=wrong):
                if isinstance(wrong, Exception):
                    raise wrong
                return wrong

            two.logout = logout
            token = (await inside.result("auth:login", {}, strategy="two"))["jwt"]
            assert await inside.result("auth:logout", token=token) == {"acknowledged": True}
            assert await inside.error("auth:getCurrentUser", token=token) == "security.token.invalid"

    play(scene, strategies=[one, two])


def test_a_token_is_revoked_before_its_strategy_hears_of_the_logout(play):
    """The provider may be slow, and the client may leave meanwhile, which cancels the request of a WebSocket."""

    async def scene(inside):
        await inside.user("ann")
        strategy, states = inside.host.security.strategies["told"], []

        async def logout(request, session):
            states.extend((await inside.rows("tokens")).values())
            raise asyncio.CancelledError

        strategy.logout = logout
        token = (await inside.result("auth:login", {}, strategy="told"))["jwt"]
        await inside.ask("auth:logout", token=token)
        assert states
        assert [each for each in states if each.get("strategy") == "told"] == []

    play(scene, strategies=[told(Success("ann"))])


def test_a_revocation_while_a_strategy_works_refuses_the_login(play):
    async def scene(inside):
        await inside.user("ann")

        async def slow(request):
            await inside.host.security.tokens.revoke_all("ann")
            return Success("ann")

        inside.host.security.strategies["told"].outcome = slow
        assert await inside.error("auth:login", {}, strategy="told") == "plugin.strategy.missing_user"
        assert await inside.rows("tokens") == {}

    play(scene, strategies=[told()])


def test_concurrent_right_answers_make_one_token(play):
    async def scene(inside):
        await inside.user("ann")
        strategy = inside.host.security.strategies["told"]
        for tries in (1, 2, 5, 100):
            gate = asyncio.Event()

            async def slow(request, state, gate=gate):
                await gate.wait()
                return Success("ann")

            strategy.outcome, strategy.answers = Challenge(tries=tries), slow
            response = await inside.ask("auth:login", {}, strategy="told")
            reference = response.reply.result["challenge"]["reference"]
            before = len(await inside.rows("tokens"))
            answers = [
                asyncio.create_task(inside.error("auth:login", {"challenge": reference}, strategy="told"))
                for _ in range(10)
            ]
            for _ in range(50):
                await asyncio.sleep(0)
            gate.set()
            outcomes = await asyncio.gather(*answers)
            assert outcomes.count(None) == 1, tries
            assert outcomes.count("plugin.strategy.missing_user") == 9
            assert len(await inside.rows("tokens")) == before + 1

    play(scene, strategies=[told()])


def test_concurrent_wrong_answers_are_no_more_than_the_tries(play):
    async def scene(inside):
        strategy = inside.host.security.strategies["told"]
        response = await inside.ask("auth:login", {}, strategy="told")
        reference = response.reply.result["challenge"]["reference"]
        await asyncio.gather(
            *(inside.error("auth:login", {"challenge": reference}, strategy="told") for _ in range(20))
        )
        assert len(strategy.heard) == 3
        await inside.user("ann")
        strategy.answers = Success("ann")
        body = {"challenge": reference}
        assert await inside.error("auth:login", body, strategy="told") == "plugin.strategy.missing_user"

    play(scene, strategies=[told(Challenge(tries=3))])


def test_a_right_answer_beside_the_last_wrong_one_is_accepted(play):
    async def scene(inside):
        await inside.user("ann")

        async def answer(request, state):
            if not request.fields.get("right"):
                return Fail()
            return Success("ann")

        strategy = inside.host.security.strategies["told"]
        strategy.answers = answer
        response = await inside.ask("auth:login", {}, strategy="told")
        reference = response.reply.result["challenge"]["reference"]
        sent = [{"challenge": reference, "right": right} for right in (True, False)]
        outcomes = await asyncio.gather(*(inside.error("auth:login", body, strategy="told") for body in sent))
        assert outcomes == [None, "plugin.strategy.missing_user"]

    play(scene, strategies=[told(Challenge(tries=2))])


def test_a_login_whose_further_step_redirects_and_challenges_goes_on_under_new_references(play):
    async def scene(inside):
        await inside.user("ann")
        steps = iter([Challenge(state={"n": 2}), Challenge(state={"n": 3}), Success("ann", methods=frozenset({"otp"}))])
        strategy = inside.host.security.strategies["told"]
        strategy.answers = lambda request, state: next(steps)
        seen, body = [], {}
        for _ in range(3):
            response = await inside.ask("auth:login", body, strategy="told")
            seen.append(response.reply.result["challenge"]["reference"])
            body = {"challenge": seen[-1]}
        result = await inside.result("auth:login", body, strategy="told")
        assert result["_id"] == "ann"
        assert len(set(seen)) == 3
        assert strategy.heard == [{"n": 1}, {"n": 2}, {"n": 3}]
        for used in seen:
            sent = {"challenge": used}
            assert await inside.error("auth:login", sent, strategy="told") == "plugin.strategy.missing_user"

    play(scene, strategies=[told(Challenge(state={"n": 1}))])


def test_an_answer_that_passes_or_raises_uses_the_step_up(play):
    async def scene(inside):
        await inside.user("ann")
        strategy = inside.host.security.strategies["told"]
        for answer, refused in (
            (Pass(), "plugin.strategy.missing_user"),
            (Pass(to="other"), None),
            (5, "plugin.strategy.invalid_verify_resolve"),
        ):
            strategy.answers = answer
            response = await inside.ask("auth:login", {}, strategy="told")
            body = {"challenge": response.reply.result["challenge"]["reference"]}
            assert await inside.error("auth:login", body, strategy="told") == refused
            assert await inside.error("auth:login", body, strategy="told") == "plugin.strategy.missing_user"

        def explode(request, state):
            raise errors.Overloaded

        strategy.answers = explode
        response = await inside.ask("auth:login", {}, strategy="told")
        body = {"challenge": response.reply.result["challenge"]["reference"]}
        assert await inside.error("auth:login", body, strategy="told") == errors.Overloaded.id
        assert await inside.error("auth:login", body, strategy="told") == "plugin.strategy.missing_user"

    play(scene, strategies=[told(Challenge()), told(Success("ann"), name="other")])


class Extra(LoginCheck):
    name = "extra"

    async def check(self, login):
        return Accept({"extra": sorted(login.success.methods)}, frozenset({"otp"}), ("extra=1",))


def test_a_login_check_adds_to_what_the_strategy_says(play):
    async def scene(inside):
        await inside.user("ann")
        inside.host.security.login_checks.add(Extra())
        _, found, answer = await Browser(inside).login("told")
        assert answer["result"]["extra"] == ["pwd"]
        assert values(found, "set-cookie") == ["own=1", "extra=1"]
        token = await inside.host.security.tokens.verify(answer["result"]["jwt"])
        assert token.methods == {"pwd", "otp"}

    play(scene, strategies=[told(Success("ann", methods=frozenset({"pwd"}), cookies=("own=1",)))])


def test_a_redirect_without_state_waits_for_nothing(play):
    async def scene(inside):
        status, found, _ = await Browser(inside).login("told")
        assert (status, header(found, "location"), values(found, "set-cookie")) == (
            307,
            "https://idp.example/",
            ["a=1"],
        )
        assert await inside.rows("challenges") == {}

    play(scene, strategies=[told(Redirect("https://idp.example/", status=307, cookies=("a=1",)))])
