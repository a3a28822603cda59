"""What plugins are lent: the methods of the protocols, all of them and no others."""

from __future__ import annotations

import inspect
from dataclasses import fields

import pytest

from tests.core.security.logins.scripts import Told, listen
from visado import errors
from visado import host as protocols
from visado.request import Request
from visado.security.tokens.issuing import TokenOrigin
from visado.storage.query import Equals, Query
from visado.strategy import Success

LENT = {
    "users": protocols.Users, "credentials": protocols.Credentials, "identities": protocols.Identities,
    "tokens": protocols.Tokens, "logins": protocols.Logins, "strategies": protocols.Strategies,
    "added_strategies": protocols.AddedStrategies, "events": protocols.Events,
}  # fmt: skip


def test_each_lent_object_has_the_methods_of_its_protocol_and_no_more(play):
    async def scene(inside):
        host = inside.host.security.host
        own = {each.name for each in fields(host)} - {"storage", "clock", "_singles"}
        assert own == set(LENT)
        for name, protocol in LENT.items():
            lent = getattr(host, name)
            methods = {key for key, member in vars(protocol).items() if inspect.isfunction(member) and key[0] != "_"}
            assert set(vars(lent)) == methods, name
            assert methods
            for each in methods:
                wanted = inspect.signature(getattr(protocol, each)).parameters
                has = inspect.signature(getattr(lent, each)).parameters
                assert [key for key in wanted if key != "self"] == list(has)[: len(wanted) - 1], (name, each)
            with pytest.raises(AttributeError):
                lent.anything = 5
            with pytest.raises(AttributeError):
                setattr(lent, next(iter(methods)), None)
            with pytest.raises(AttributeError):
                delattr(lent, next(iter(methods)))

    play(scene)


def test_a_single_object_is_made_once_for_each_host_and_class(play):
    class Shared:
        def __init__(self, host, word):
            self.host, self.word = host, word

    async def scene(inside):
        host = inside.host.security.host
        one = host.single(Shared, host, "a")
        assert host.single(Shared, host, "b") is one
        assert one.word == "a"
        assert "Shared" not in repr(host)
        return one

    assert play(scene) is not play(scene)


def test_a_plugin_deletes_a_user_with_all_that_it_has(play):
    async def scene(inside):
        host = inside.host.security.host
        token = await inside.user("ann")
        await host.credentials.link("told", "Ann", "ann")
        await inside.result("auth:createApiKey", {"description": "x"}, token=token)
        await host.users.delete("ann")
        for collection in ("users", "tokens", "api-keys", "credentials-told"):
            assert await inside.rows(collection) == {}
        assert await inside.error("auth:getCurrentUser", token=token) == "security.token.invalid"
        with pytest.raises(errors.UserNotFound):
            await host.users.delete("ann")
        for reserved in ("-1", "anonymous"):
            with pytest.raises(errors.NotFound):
                await host.users.delete(reserved)
        await inside.user("bob")
        page = await host.users.search(Query(Equals("profileIds", "default")))
        assert [each for each, _ in page.hits] == ["bob"]

    play(scene, strategies=[Told("told")])


def test_the_tokens_of_a_session_are_revoked_by_its_members(play):
    async def scene(inside):
        ears = listen(inside)
        tokens, host = inside.host.security.tokens, inside.host.security.host
        await inside.user("ann")
        texts = {}
        for strategy, session in (
            ("saml", {"index": "7", "name": "ann"}), ("saml", {"index": "8", "name": "ann"}), ("oauth", {"index": "7"}),
            ("saml", {"other": "7"}), ("saml", {"index": 7}), ("saml", {"index": ["7"]}), ("saml", {}),
        ):  # fmt: skip
            issued = await tokens.create("ann", origin=TokenOrigin(strategy, session))
            texts[strategy, str(session)] = issued.text
        assert await host.tokens.revoke_of("saml", index="7", name="bob") == 0
        assert await host.tokens.revoke_of("saml", index="7") == 1
        assert await host.tokens.revoke_of("saml", index="7") == 0
        states = {key: await inside.error("auth:getCurrentUser", token=text) for key, text in texts.items()}
        gone = [key for key, state in states.items() if state is not None]
        assert gone == [("saml", "{'index': '7', 'name': 'ann'}")]
        refreshed = await inside.result("auth:refreshToken", token=texts["saml", "{'index': '8', 'name': 'ann'}"])
        assert await host.tokens.revoke_of("saml", name="ann", index="8") == 2  # the old one in its grace period, too
        assert await inside.error("auth:getCurrentUser", token=refreshed["jwt"]) == "security.token.invalid"
        with pytest.raises(ValueError, match="member"):
            await host.tokens.revoke_of("saml")
        assert {(each.target, each.strategy) for each in ears.kinds("tokens.revoked")} == {("ann", "saml")}

    play(scene)


def test_revoking_a_session_reads_the_index_and_not_every_token(play, monkeypatch):
    async def scene(inside):
        tokens, table = inside.host.security.tokens, []
        for index in range(300):
            await tokens.create("ann", origin=TokenOrigin("saml", {"index": str(index), "name": "ann"}))
        from visado.tinydb import searching

        original = searching.search_table

        async def counting(read, query, uncommitted):
            candidates, _ = read.candidates(query.where)
            table.append(len(candidates))
            return await original(read, query, uncommitted)

        from visado.tinydb import storage

        monkeypatch.setattr(storage, "search_table", counting)
        assert await tokens.revoke_of("saml", index="7") == 1
        assert max(table) == 1
        assert await tokens.revoke_of("saml", index="8", name="ann") == 1
        assert max(table) == 1

    play(scene)


def test_strategies_are_asked_as_they_are(play):
    async def scene(inside):
        host = inside.host.security.host
        assert "told" in host.strategies.names()
        await inside.user("ann")
        assert (await host.strategies.attempt("told", Request("1", "auth", "login", {}))).who == "ann"
        with pytest.raises(errors.UnknownStrategy):
            await host.strategies.attempt("nobody", Request("1", "auth", "login", {}))
        assert len(await inside.rows("tokens")) == 1  # that of `inside.user`

    play(scene, strategies=[Told("told", Success("ann"))])
