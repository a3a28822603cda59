from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from visado import errors

TAKEN, LINKED, NONE = errors.SubjectTaken, errors.UserLinked, errors.NoCredentials


def test_a_subject_has_one_owner_and_an_owner_one_subject(play, scripted):
    async def scene(inside):
        credentials = inside.host.security.credentials
        await credentials.link("s", "subject", "ann", {"hash": "h"})
        assert await credentials.get("s", "subject") == {"hash": "h", "userId": "ann"}
        assert await credentials.get_of_user("s", "ann") == ("subject", {"hash": "h", "userId": "ann"})
        with pytest.raises(TAKEN):
            await credentials.link("s", "subject", "ben")
        with pytest.raises(LINKED):
            await credentials.link("s", "other", "ann")
        assert await credentials.get_of_user("s", "ben") is None
        assert await credentials.get("t", "subject") is None

    play(scene, strategies=[scripted("s"), scripted("t")])


def test_of_many_at_once_one_is_first(play, scripted):
    async def scene(inside):
        credentials = inside.host.security.credentials

        async def attempt(subject, user):
            try:
                await credentials.link("s", subject, user)
            except errors.VisadoError as error:
                return error.status
            return 200

        assert Counter(await asyncio.gather(*(attempt("subject", f"user{n}") for n in range(30))))[200] == 1
        assert Counter(await asyncio.gather(*(attempt(f"subject{n}", "ann") for n in range(30))))[200] == 1
        assert len(await inside.rows("credentials-s")) == 2

    play(scene, strategies=[scripted("s")])


def test_a_change_keeps_the_rest_and_the_owner(play, scripted):
    async def scene(inside):
        credentials = inside.host.security.credentials
        await credentials.link("s", "a", "ann", {"x": 1, "y": 1})
        await credentials.link("s", "b", "ben")
        await credentials.merge("s", "ann", {"x": 2, "userId": "ben"})
        assert await credentials.get("s", "a") == {"x": 2, "y": 1, "userId": "ann"}
        await credentials.merge("s", "ann", {"x": 3}, subject="c")
        assert await credentials.get("s", "a") is None
        assert await credentials.get("s", "c") == {"x": 3, "y": 1, "userId": "ann"}
        with pytest.raises(TAKEN):
            await credentials.merge("s", "ann", {"x": 4}, subject="b")
        assert (await credentials.get("s", "c"))["x"] == 3
        with pytest.raises(NONE):
            await credentials.merge("s", "nobody", {})
        assert await credentials.unlink("s", "ann") is True
        assert await credentials.unlink("s", "ann") is False
        assert await credentials.get("s", "c") is None

    play(scene, strategies=[scripted("s")])


def test_the_actions_call_the_strategy(play, scripted):
    strategy = scripted("s")

    async def scene(inside):
        ann = await inside.user("ann", "admin")
        how = {"strategy": "s", "token": ann}
        assert await inside.result("auth:credentialsExist", **how) is False
        assert await inside.result("auth:validateMyCredentials", {"word": "a"}, **how) is True
        assert (
            await inside.error("auth:validateMyCredentials", {"word": "bad"}, **how) == "security.credentials.rejected"
        )
        assert await inside.error("auth:createMyCredentials", {"word": "bad"}, **how) == "security.credentials.rejected"
        assert strategy.kept == {}
        assert await inside.result("auth:createMyCredentials", {"word": "a"}, **how) == {"word": "shown"}
        assert await inside.result("auth:credentialsExist", **how) is True
        assert await inside.result("auth:getMyCredentials", **how) == {"of": "ann"}
        assert (await inside.result("auth:getCurrentUser", token=ann))["strategies"] == ["s"]
        assert await inside.result("security:getUserStrategies", _id="ann") == {"strategies": ["s"], "total": 1}
        await inside.result("auth:updateMyCredentials", {"word": "b"}, **how)
        assert strategy.kept == {"ann": {"word": "b"}}
        assert await inside.result("auth:deleteMyCredentials", **how) == {"acknowledged": True}
        for action in ("createCredentials", "updateCredentials"):
            assert (
                await inside.error(f"security:{action}", {"word": "a"}, strategy="s", _id="nobody")
                == "security.user.not_found"
            )
        await inside.result("security:createCredentials", {"word": "a"}, strategy="s", _id="ann")
        assert await inside.result("security:hasCredentials", strategy="s", _id="ann") is True
        assert await inside.result("security:getCredentials", strategy="s", _id="ann") == {"of": "ann"}
        for action in ("getCredentialsById", "searchUsersByCredentials"):
            assert (
                await inside.error(f"security:{action}", {}, strategy="s", _id="x")
                == "plugin.strategy.missing_optional_method"
            )
        assert await inside.result("security:getCredentialFields", strategy="s") == ["word"]
        assert (await inside.result("security:getAllCredentialFields"))["s"] == ["word"]
        await inside.result("security:deleteCredentials", strategy="s", _id="ann")
        assert strategy.kept == {}
        assert await inside.result("auth:getStrategies") == ["local", "s"]

    play(scene, strategies=[strategy])


def test_nobody_has_no_credentials(play, scripted):
    async def scene(inside):
        for action, body in [
            ("credentialsExist", None),
            ("getMyCredentials", None),
            ("createMyCredentials", {"word": "a"}),
            ("updateMyCredentials", {"word": "a"}),
            ("validateMyCredentials", {"word": "a"}),
            ("deleteMyCredentials", None),
        ]:
            assert await inside.error(f"auth:{action}", body, strategy="s") == "security.rights.unauthorized"
        ann = await inside.user("ann", "admin")
        for action, body in [
            ("credentialsExist", None),
            ("getMyCredentials", None),
            ("createMyCredentials", {}),
            ("deleteMyCredentials", None),
        ]:
            assert (
                await inside.error(f"auth:{action}", body, strategy="gone", token=ann)
                == "security.credentials.unknown_strategy"
            )

    play(scene, strategies=[scripted("s")])


def test_a_strategy_that_is_gone_leaves_tokens_that_can_be_revoked(play, scripted):
    from visado.strategy import Success

    async def first(inside):
        await inside.user("ann", "admin")
        return (await inside.result("auth:login", {}, strategy="s"))["jwt"]

    token = play(first, strategies=[scripted("s", outcome=Success("ann"))])

    async def second(inside):
        assert await inside.error("auth:login", {}, strategy="s") == "security.credentials.unknown_strategy"
        assert await inside.error("auth:getCurrentUser", token=token) is None
        await inside.result("security:revokeTokens", _id="ann")
        assert await inside.error("auth:getCurrentUser", token=token) == "security.token.invalid"

    play(second)
