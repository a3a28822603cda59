from __future__ import annotations

import asyncio
import logging

import pytest

from tests.core.security.tokens.verifiers import INVALID, Stub, add, behind, named, until, who
from visado import errors
from visado.request import Connection
from visado.strategy import AccountRules, Identity
from visado.token_verifier import Verified

ANN = "stub.ann"


def with_stub(scene, said=named, **given):
    async def run(inside):
        await inside.user("ann")
        await inside.user("bob")
        return await scene(inside, add(inside, Stub(said, **given)))

    return run


class Heard(Connection):
    """A socket that counts how often it was told that its token expired."""

    times = 0

    def expired(self):
        self.times += 1


def socket(user=None):
    headers = {} if user is None else {b"x-user": user.encode()}
    return Heard("websocket", headers=headers)


# Who it is


def test_a_credential_is_the_user_that_its_verifier_names(play):
    async def scene(inside, stub):
        assert await who(inside, token=ANN) == "ann"
        assert await who(inside, connection=behind("bob")) == "bob"
        assert await who(inside) == "-1"
        assert stub.asked == [ANN, "bob"]

    play(with_stub(scene))


def test_a_bearer_that_no_verifier_knows_is_invalid_and_another_credential_is_nobodys(play):
    async def scene(inside, stub):
        assert await inside.error("auth:getCurrentUser", token="a.b.c") == INVALID
        assert await who(inside, connection=Connection(headers={b"authorization": b"Basic YTpi"})) == "-1"
        assert stub.asked == []

    play(with_stub(scene))


def test_a_refused_credential_is_401_over_both_ways_and_is_not_cached(play):
    async def scene(inside, stub):
        for given in ({"token": ANN}, {"connection": behind("ann")}):
            response = await inside.ask("auth:getCurrentUser", **given)
            assert (response.status, response.error.id) == (401, INVALID)
        assert await inside.error("auth:getCurrentUser", token=ANN) == INVALID
        assert stub.asked == [ANN, "ann", ANN]

    play(with_stub(scene, None))


def test_a_native_token_beside_a_foreign_credential_wins_and_no_verifier_is_asked(play):
    async def scene(inside, stub):
        bob = await inside.token("bob")
        assert await who(inside, token=bob, connection=behind("ann")) == "bob"
        assert await who(inside, cookie=bob, connection=behind("ann")) == "bob"
        assert await inside.error("auth:getCurrentUser", token="kauth-x", connection=behind("ann")) == INVALID
        assert await inside.error("auth:getCurrentUser", token="kapikey-x", connection=behind("ann")) == INVALID
        assert (stub.looked, stub.asked) == (0, [])

    play(with_stub(scene))


def test_a_bearer_beside_a_cookie_is_two_tokens(play):
    async def scene(inside, stub):
        bob = await inside.token("bob")
        error = await inside.error("auth:getCurrentUser", token=ANN, cookie=bob)
        assert error == "security.token.verification_error"
        assert stub.looked == 0

    play(with_stub(scene))


def test_a_bearer_that_its_verifier_ignores_stays_invalid(play):
    async def scene(inside, stub):
        assert await inside.error("auth:getCurrentUser", token="junk", connection=behind("ann")) == INVALID
        assert await inside.error("auth:getCurrentUser", cookie="junk", connection=behind("ann")) == INVALID
        assert stub.asked == []

    play(with_stub(scene))


def test_of_two_verifiers_that_know_a_credential_the_first_decides(play):
    async def scene(inside, stub):
        second = add(inside, Stub(Verified("bob"), "second"))
        assert await who(inside, token=ANN) == "ann"
        stub.said = None
        assert await inside.error("auth:getCurrentUser", token="stub.else") == INVALID
        assert second.asked == []

    play(with_stub(scene))


def test_no_text_of_a_client_names_a_credential_that_another_request_brought(play):
    async def scene(inside, _):
        assert await who(inside, connection=behind("ann")) == "ann"
        (cached,) = inside.host.security.tokens.verified.foreign()
        key = inside.host.security.tokens.verified._keys.get(cached.id)
        for text in (cached.id, str(key), "\0".join(key), "/".join(key), key[1], "ann"):
            assert await inside.error("auth:getCurrentUser", token=text) == INVALID

    play(with_stub(scene))


@pytest.mark.parametrize("user", ["nobody", "-1", "anonymous"])
def test_an_unknown_user_is_refused_and_logged(play, caplog, user):
    async def scene(inside, _):
        with caplog.at_level(logging.WARNING, "visado.verifiers"):
            assert await inside.error("auth:getCurrentUser", token="stub.secret") == INVALID
        assert "unknown user" in caplog.text
        assert "secret" not in caplog.text

    play(with_stub(scene, Verified(user)))


def test_an_identity_is_a_user_by_the_rules_of_accounts(play):
    async def scene(inside, stub):
        stub.said = lambda credential: Verified(Identity(credential, {"name": "Cy"}))
        assert await inside.error("auth:getCurrentUser", token="stub.cy") == INVALID
        stub.accounts = AccountRules(auto_create=True)
        made = await inside.result("auth:getCurrentUser", token="stub.cy")
        assert made["_source"]["profileIds"] == ["default"]
        inside.clock.now += 60_000
        assert await who(inside, token="stub.cy") == made["_id"]
        assert len(await inside.rows("users")) == 3

    play(with_stub(scene))


# For how long


def test_a_verified_credential_is_not_verified_again_until_recheck(play):
    async def scene(inside, stub):
        for _ in range(3):
            assert await who(inside, token=ANN) == "ann"
        assert stub.asked == [ANN]
        inside.clock.now += 59_999
        assert await who(inside, token=ANN) == "ann"
        inside.clock.now += 1
        assert await who(inside, token=ANN) == "ann"
        assert stub.asked == [ANN, ANN]
        stub.said = None
        inside.clock.now += 60_000
        assert await inside.error("auth:getCurrentUser", token=ANN) == INVALID

    play(with_stub(scene))


def test_a_credential_ends_when_it_expires(play):
    async def scene(inside, stub):
        stub.said = Verified("ann", expires_at=inside.clock.now + 10_000, recheck=3_600)
        assert await inside.result("auth:checkToken", {"token": ANN}) == {
            "valid": True,
            "expiresAt": inside.clock.now + 10_000,
            "kuid": "ann",
        }
        inside.clock.now += 9_999
        assert await who(inside, token=ANN) == "ann"
        assert stub.asked == [ANN]
        inside.clock.now += 1
        response = await inside.ask("auth:getCurrentUser", token=ANN)
        assert (response.error.id, response.error.text) == (INVALID, errors.ExpiredToken().text)
        assert stub.asked == [ANN, ANN]

    play(with_stub(scene))


def test_without_recheck_each_request_is_verified(play):
    async def scene(inside, stub):
        for _ in range(2):
            assert await who(inside, token=ANN) == "ann"
        assert stub.asked == [ANN, ANN]

    play(with_stub(scene, Verified("ann", recheck=0)))


def test_a_deleted_user_is_refused_at_once(play):
    async def scene(inside, stub):
        assert await who(inside, token=ANN) == "ann"
        await inside.host.security.accounts.delete("ann")
        assert await inside.error("auth:getCurrentUser", token=ANN) == INVALID
        assert stub.asked == [ANN, ANN]

    play(with_stub(scene))


def test_a_user_that_is_deleted_while_its_credential_is_verified_is_refused(play):
    async def scene(inside, stub):
        async def delete(_):
            await inside.host.security.accounts.delete("ann")
            return Verified("ann")

        stub.said = delete
        assert await inside.error("auth:getCurrentUser", token=ANN) == INVALID

    play(with_stub(scene))


@pytest.mark.parametrize("how", ["revoke_all", "logout"])
def test_after_all_tokens_were_revoked_a_credential_is_verified_again(play, how):
    async def scene(inside, stub):
        other = socket()
        assert await who(inside, token=ANN, connection=other) == "ann"
        if how == "logout":
            assert (await inside.result("auth:logout", token=ANN, **{"global": True}))["acknowledged"] is True
        else:
            await inside.host.security.tokens.revoke_all("ann", notify=True)
        assert other.times == (how != "logout")
        assert await who(inside, token=ANN) == "ann"
        assert stub.asked == [ANN, ANN]

    play(with_stub(scene))


def test_what_was_verified_before_a_revocation_is_not_cached_after_it(play):
    async def scene(inside, stub):
        async def revoke(_):
            await inside.host.security.tokens.revoke_all("ann")
            return Verified("ann")

        stub.said = revoke
        assert await who(inside, token=ANN) == "ann"
        stub.said = None
        assert await inside.error("auth:getCurrentUser", token=ANN) == INVALID

    play(with_stub(scene))


def test_revoking_keeps_the_credential_of_the_request_where_it_is_kept(play):
    async def scene(inside, stub):
        assert await who(inside, token=ANN) == "ann"
        (token,) = inside.host.security.tokens.verified.foreign("ann")
        await inside.host.security.tokens.revoke_all("ann", keep=token.id)
        assert await who(inside, token=ANN) == "ann"
        assert stub.asked == [ANN]

    play(with_stub(scene))


def test_verifiers_of_an_unavailable_plugin_are_not_asked_and_what_they_verified_is_forgotten(play):
    async def scene(inside):
        await inside.user("ann")
        plugins = inside.host.plugins
        name = next(iter(plugins)).name
        stub = add(inside, Stub(named), plugin=name)
        open_socket = socket("ann")
        assert await who(inside, token=ANN) == await who(inside, connection=open_socket) == "ann"
        plugins.disable(name)
        assert await inside.error("auth:getCurrentUser", token=ANN) == INVALID
        assert await who(inside, connection=open_socket) == "-1"
        assert open_socket.times == 1
        assert stub.asked == [ANN, "ann"]
        plugins.enable(name)
        assert await who(inside, token=ANN) == "ann"
        assert stub.asked == [ANN, "ann", ANN]
        plugins.quarantine(name, "a fault")
        assert await inside.error("auth:getCurrentUser", token=ANN) == INVALID

    play(scene)


def test_a_plugin_that_is_disabled_while_it_verifies_verifies_nobody(play):
    async def scene(inside):
        await inside.user("ann")
        name = next(iter(inside.host.plugins)).name

        def disable(_):
            inside.host.plugins.disable(name)
            return Verified("ann")

        add(inside, Stub(disable), plugin=name)
        assert await inside.error("auth:getCurrentUser", token=ANN) == INVALID

    play(scene)


# At once


def test_of_equal_credentials_at_once_one_is_verified(play):
    async def scene(inside, stub):
        decide = asyncio.Event()

        async def wait(credential):
            await decide.wait()
            return named(credential)

        stub.said = wait
        asking = [asyncio.create_task(who(inside, token=ANN)) for _ in range(50)]
        await until(lambda: stub.asked)
        for each in asking[:10]:  # the first of them, too: its task is not the one that verifies
            each.cancel()
        decide.set()
        came = await asyncio.gather(*asking, return_exceptions=True)
        assert came[10:] == ["ann"] * 40
        assert all(isinstance(each, asyncio.CancelledError) for each in came[:10])
        assert stub.asked == [ANN]

    play(with_stub(scene))


def test_many_different_credentials_wait_and_too_many_are_refused(play):
    async def scene(inside, stub):
        decide = asyncio.Event()
        running = 0

        async def wait(credential):
            nonlocal running
            running += 1
            assert running <= 2
            await decide.wait()
            running -= 1
            return named(credential.partition("~")[0])

        stub.said = wait
        asking = [asyncio.create_task(inside.ask("auth:getCurrentUser", token=f"{ANN}~{n}")) for n in range(10)]
        await until(lambda: sum(each.done() for each in asking) == 6)
        decide.set()
        found = [response.error.id if response.error else None for response in await asyncio.gather(*asking)]
        assert sorted(found, key=str) == [None] * 4 + [errors.Overloaded.id] * 6

    play(with_stub(scene, concurrency=2))


def test_a_failure_of_one_is_the_failure_of_all_that_wait_and_of_nobody_else(play):
    async def scene(inside, stub):
        async def fail(_):
            await asyncio.sleep(0)
            raise RuntimeError("a secret cause")

        stub.said = fail
        responses = await asyncio.gather(*(inside.ask("auth:getCurrentUser", token=ANN) for _ in range(5)))
        assert {(each.status, each.error.id) for each in responses} == {(500, errors.PluginFailed.id)}
        assert "secret" not in str(responses[0].envelope("node"))
        stub.said = named
        assert await who(inside, token=ANN) == "ann"

    play(with_stub(scene))


# What a token of another issuer may do


def test_a_limited_credential_may_run_its_actions_and_no_others(play):
    async def scene(inside, _):
        await inside.restrict()
        admin = await inside.user("root", "admin")
        assert await who(inside, token=ANN) == "root"
        assert await inside.error("server:info", token=ANN) == "security.rights.forbidden"
        assert await inside.error("security:searchUsers", {}, token=ANN) is None
        for action, allowed in (("getCurrentUser", True), ("updateSelf", False)):
            asked = {"controller": "auth", "action": action}
            assert await inside.result("auth:checkRights", asked, token=ANN) == {"allowed": allowed}
        listed = (await inside.result("auth:getMyRights", token=ANN))["hits"]
        assert [each["controller"] + ":" + each["action"] for each in listed] == sorted(ALLOWED)
        assert {each["value"] for each in listed} == {"allowed"}
        assert await inside.error("security:searchUsers", {}, token=admin) is None

    play(with_stub(scene, Verified("root", allow=frozenset(ALLOWED))))


ALLOWED = {"auth:getCurrentUser", "auth:checkRights", "auth:getMyRights", "security:searchUsers"}


def test_a_limited_credential_makes_no_token_that_is_not_limited(play):
    async def scene(inside, _):
        forbidden = "security.rights.forbidden"
        assert await inside.error("auth:createToken", {}, token=ANN) == forbidden
        assert await inside.error("auth:createApiKey", {"description": "mine"}, token=ANN) == forbidden
        assert await inside.error("auth:link", {}, strategy="local", token=ANN) == forbidden
        given = {"description": "mine"}
        assert await inside.error("security:createApiKey", given, userId="ann", token=ANN) == forbidden
        assert await inside.error("security:createApiKey", given, userId="bob", token=ANN) is None

    may = {"auth:createToken", "auth:createApiKey", "auth:link", "security:createApiKey"}
    play(with_stub(scene, Verified("ann", allow=frozenset(may))))


def test_a_credential_that_is_not_limited_may_make_a_token_of_the_hosts(play):
    async def scene(inside, _):
        made = await inside.result("auth:createToken", {}, token=ANN)
        assert await who(inside, token=made["token"]) == "ann"

    play(with_stub(scene))


def test_it_is_not_refreshed_and_a_logout_revokes_nothing(play):
    async def scene(inside, stub):
        assert await inside.error("auth:refreshToken", token=ANN) == "security.token.refresh_forbidden"
        used = socket()
        assert await who(inside, token=ANN, connection=used) == "ann"
        linked = inside.host.security.connections
        (token,) = inside.host.security.tokens.verified.foreign()
        assert linked.holds(used, token.id)
        assert (await inside.result("auth:logout", token=ANN, connection=used))["acknowledged"] is True
        assert not linked.holds(used, token.id)
        assert await who(inside, token=ANN) == "ann"
        assert stub.asked == [ANN]

    play(with_stub(scene))


def test_the_token_says_what_the_verifier_said(play):
    async def scene(inside, stub):
        stub.said = Verified("ann", expires_at=inside.clock.now + 5_000, session={"sid": "7"})
        await who(inside, token=ANN)
        (token,) = inside.host.security.tokens.verified.foreign()
        assert (token.kind, token.strategy, token.user_id, token.session) == ("foreign", "stub", "ann", {"sid": "7"})
        assert (token.expires_at, token.ttl, token.single_use) == (inside.clock.now + 5_000, 5_000, False)
        assert ANN not in repr(token)

    play(with_stub(scene))


def test_a_socket_is_told_when_its_credential_expires_and_when_that_changes(play):
    async def scene(inside, stub):
        open_socket = socket("ann")
        stub.said = Verified("ann", expires_at=inside.clock.now + 3_600_000)
        await who(inside, connection=open_socket)
        inside.clock.now += 60_000
        stub.said = Verified("ann", expires_at=inside.clock.now + 1)
        await who(inside, connection=open_socket)
        inside.clock.now += 1
        await until(lambda: open_socket.times)
        assert await inside.error("auth:getCurrentUser", connection=open_socket) == INVALID

    play(with_stub(scene))


# Pages of other origins


def test_what_a_browser_sends_by_itself_is_treated_like_the_cookie(play):
    async def scene(inside, stub):
        refused = "api.process.unauthorized_origin"
        for transport in ("http", "websocket"):
            far = behind("ann", origin="https://evil.example", same_origin=False, transport=transport)
            assert await inside.error("auth:getCurrentUser", connection=far) == refused
            assert await inside.error("auth:getCurrentUser", token="junk", connection=far) == INVALID
            assert await inside.error("auth:getCurrentUser", token="ann", connection=far) == refused
            assert stub.asked == []
        assert await who(inside, token=ANN, connection=far) == "ann"
        friend = behind("ann", origin="https://friend.example", same_origin=False)
        assert await who(inside, connection=friend) == "ann"
        assert await who(inside, connection=behind("ann", origin="https://own.example")) == "ann"

    play(with_stub(scene), http={"cookie_origins": ["https://friend.example"]})


def test_a_login_does_not_look_at_it_and_a_logout_does_without_it(play):
    async def scene(inside, stub):
        far = behind("ann", origin="https://evil.example", same_origin=False)
        for connection in (behind("ann"), far):
            assert await inside.error("auth:login", {}, connection=connection) == "plugin.strategy.missing_user"
        assert stub.asked == []
        out = await inside.result("auth:logout", cookieAuth=True, connection=behind("ann"))
        assert out["acknowledged"] is True
        assert await inside.error("auth:logout", token=ANN, cookieAuth=True) == INVALID

    play(with_stub(scene, None))


def test_a_text_is_checked_as_a_bearer_of_the_request_and_as_nothing_else(play):
    async def scene(inside, _):
        check = "auth:checkToken"
        assert (await inside.result(check, {"token": ANN}))["kuid"] == "ann"
        assert (await inside.result(check, {"token": "ann"}, connection=behind("ann")))["valid"] is False
        assert (await inside.result(check, {"token": "junk"}, connection=behind("ann")))["valid"] is False

    play(with_stub(scene))


def test_administrators_link_the_identity_of_a_verifier_and_its_end_counts_at_once(play):
    async def scene(inside, stub):
        admin = await inside.user("admin", "admin")
        assert await inside.error("auth:getCurrentUser", token=ANN) == INVALID  # nobody's yet
        args = {"strategy": "stub", "_id": "ann", "token": admin}
        assert await inside.error("security:createCredentials", {}, **args) == errors.CredentialsRejected.id
        await inside.result("security:createCredentials", {"subject": "a-person"}, **args)
        assert await who(inside, token=ANN) == "ann"
        assert await inside.result("auth:getMyCredentials", strategy="stub", token=ANN) == {
            "subject": "a-person", "kuid": "ann",
        }  # fmt: skip
        assert "stub" not in await inside.result("auth:getStrategies")
        await inside.result("security:deleteCredentials", **args)
        assert await inside.error("auth:getCurrentUser", token=ANN) == INVALID

    play(with_stub(scene, Verified(Identity("a-person"))))
