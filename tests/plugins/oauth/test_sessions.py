"""Refresh, revocation and back-channel logout."""

from __future__ import annotations

import asyncio
import secrets
import time

import pytest

from visado import Fail, Redirect, Success, errors
from visado_oauth.errors import InvalidLogoutToken, ProviderRefusedRefresh, ProviderUnavailable

from . import hostile
from .in_process import provider, settings, staged

EVENT = {"http://schemas.openid.net/event/backchannel-logout": {}}


@pytest.fixture
def shady():
    made = hostile.Hostile()
    made.metadata = {"revocation_endpoint": f"{made.issuer}/revoke", "end_session_endpoint": f"{made.issuer}/bye"}
    yield made
    made.close()


@pytest.fixture
def play(tmp_path, shady):
    def run(scene, **more):
        async def main():
            async with staged(tmp_path, settings({"shady": provider(shady.issuer, **more)})) as stage:
                return await scene(stage)

        return asyncio.run(main())

    return run


async def signed_in(stage, sub="sub-1", refresh=None, **orders):
    """Log in, and create two tokens; the request has the first."""
    token = {"refresh_token": refresh} if refresh else {}
    found = await stage.log_in(lambda nonce: hostile.code(sub, nonce, token=token, **orders))
    assert isinstance(found, Success)
    host = stage.host
    user = await host.security.users.get(found.user_id)
    texts = [(await host.security.tokens.create(user.id)).text for _ in range(2)]
    request = stage.request(user=found.user_id)
    request.token = await host.security.tokens.verify(texts[0])
    return request, texts


async def alive(stage, text):
    try:
        return bool(await stage.host.security.tokens.verify(text))
    except errors.InvalidToken:
        return False


def test_a_refresh_token_is_rotated_and_stored_sealed(play, shady, tmp_path):
    second = hostile.pack({"sub": "sub-1", "n": 2})
    first = hostile.pack({"sub": "sub-1", "token": {"refresh_token": second}})

    async def scene(stage):
        request, texts = await signed_in(stage, refresh=first)
        for expected in (first, second, second):
            assert await stage.strategy().refresh(request) == {}
            assert shady.forms[-1][1]["refresh_token"] == expected
        assert await alive(stage, texts[0])

    play(scene)
    kept = b"".join(each.read_bytes() for each in tmp_path.iterdir() if each.is_file() and "secret" not in each.name)
    assert b"refreshToken" in kept
    assert first.encode() not in kept
    assert second.encode() not in kept


@pytest.mark.parametrize(
    "order", [{"error": "invalid_grant"}, {"sub": "another"}, {"claims": {"iss": "https://e.example"}}]
)
def test_a_provider_that_refuses_ends_this_session(play, order):
    async def scene(stage):
        request, texts = await signed_in(stage, refresh=hostile.pack({"sub": "sub-1", **order}))
        with pytest.raises(ProviderRefusedRefresh) as caught:
            await stage.strategy().refresh(request)
        assert caught.value.status == 401
        assert not await alive(stage, texts[0])
        assert await alive(stage, texts[1])

    play(scene)


def test_a_user_without_an_identity_is_not_refreshed(play):
    async def scene(stage):
        await stage.host.security.users.create({"profileIds": ["default"]}, "local-only")
        with pytest.raises(errors.RefreshForbidden):
            await stage.strategy().refresh(stage.request(user="local-only"))
        request, _ = await signed_in(stage)
        assert await stage.strategy().refresh(request) == {}

    play(scene)


def test_a_logout_revokes_the_refresh_token(play, shady):
    async def scene(stage):
        request, _ = await signed_in(stage, refresh="the-refresh-token")
        for mode in (None, 500, "hang"):
            shady.modes = {"/revoke": mode}
            location = await stage.strategy().logout(request)
            assert location == f"{shady.issuer}/bye?client_id=hosts-id"
        assert [form["token"] for path, form in shady.forms if path == "/revoke"] == ["the-refresh-token"]

    play(scene, logout=["revoke", "end_session"])


def logout_token(shady, **orders):
    claims = {"events": EVENT, "jti": secrets.token_hex(8), **orders.pop("claims", {})}
    drop = ["nonce", "at_hash", *orders.pop("drop", [])]
    return shady.id_token({"sub": "sub-1", "claims": claims, "drop": drop, **orders})


async def obeyed(stage, text):
    found = await stage.ask(body={"logout_token": text})
    assert isinstance(found, Redirect)
    assert found.status == 200


def test_a_logout_token_revokes_the_tokens_of_its_user(play, shady):
    async def scene(stage):
        _, texts = await signed_in(stage, claims={"sid": "session-1"})
        _, others = await signed_in(stage, sub="sub-2")
        text = logout_token(shady)
        await obeyed(stage, text)
        assert not any([await alive(stage, each) for each in texts])
        assert all([await alive(stage, each) for each in others])
        _, texts = await signed_in(stage, claims={"sid": "session-1"})
        with pytest.raises(InvalidLogoutToken):
            await stage.ask(body={"logout_token": text})
        assert await alive(stage, texts[0])
        await obeyed(stage, logout_token(shady, claims={"sid": "session-1"}, drop=["sub"]))
        assert not await alive(stage, texts[0])
        assert await alive(stage, others[0])
        await obeyed(stage, logout_token(shady, claims={"sub": "nobody"}))

    play(scene)


def test_invalid_logout_tokens_revoke_nothing(play, shady):
    wrong = {
        "alg none": {"alg": "none"},
        "shared secret": {"alg": "HS256"},
        "another key": {"key": "other"},
        "wrong issuer": {"claims": {"iss": "https://evil.example"}},
        "wrong audience": {"claims": {"aud": "another"}},
        "no event": {"drop": ["events"]},
        "another event": {"claims": {"events": {"x": {}}}},
        "event is a list": {"claims": {"events": ["http://schemas.openid.net/event/backchannel-logout"]}},
        "a nonce": {"nonce": "x", "claims": {"nonce": "x"}},
        "expired": {"claims": {"exp": int(time.time()) - 60}},
        "old": {"claims": {"iat": int(time.time()) - 86_400}, "drop": ["exp"]},
        "no jti": {"drop": ["jti"]},
        "nobody": {"drop": ["sub"]},
        "an ID token's kind": {"header": {"typ": "at+jwt"}},
    }

    async def scene(stage):
        _, texts = await signed_in(stage)
        for name, orders in wrong.items():
            token = (
                logout_token(shady, **orders)
                if name != "a nonce"
                else shady.id_token({"sub": "sub-1", "nonce": "x", "claims": {"events": EVENT, "jti": "j"}})
            )
            with pytest.raises(InvalidLogoutToken):
                await stage.ask(body={"logout_token": token})
            assert await alive(stage, texts[0]), name
        with pytest.raises(InvalidLogoutToken):
            await stage.ask({"logout_token": logout_token(shady)})
        for value in (1, None, [], {}, "", "a" * 100_000, "\ud800"):
            try:
                assert not isinstance(await stage.ask(body={"logout_token": value}), (Success, Fail))
            except InvalidLogoutToken:
                continue
        assert await alive(stage, texts[0])

    play(scene)


def test_an_unavailable_provider_refuses_every_call(tmp_path):
    async def scene():
        async with staged(tmp_path, settings({"shady": {"issuer": "https://a.example"}})) as stage:
            for call in (
                stage.ask(),
                stage.ask(body={"logout_token": "x"}),
                stage.strategy().create("u", {"sub": "1"}),
            ):
                with pytest.raises(ProviderUnavailable):
                    await call
            assert await stage.strategy().exists("u") is False

    asyncio.run(scene())
