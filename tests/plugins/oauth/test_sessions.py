"""Refresh, revocation and back-channel logout."""

from __future__ import annotations

import asyncio
import secrets
import time

import pytest

from visado import Actor, Fail, Redirect, Success, errors
from visado_kit.clock import Clock
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
    def run(scene, clock=None, **more):
        async def main():
            async with staged(tmp_path, settings({"shady": provider(shady.issuer, **more)}), clock) as stage:
                return await scene(stage)

        return asyncio.run(main())

    return run


async def signed_in(stage, sub="sub-1", refresh=None, **orders):
    """Log in twice, in two browsers; the request has the first token."""
    token = {"refresh_token": refresh} if refresh else {}
    backs = [await stage.back(lambda nonce: hostile.code(sub, nonce, token=token, **orders)) for _ in range(2)]
    texts = [await stage.token(back, cookie=cookie) for back, cookie in backs]
    return await asking(stage, texts[0]), texts


async def asking(stage, text):
    """Return a request with a token."""
    token = await stage.host.security.tokens.verify(text)
    request = stage.request(user=token.user_id)
    request.token = token
    return request


async def refreshed(stage, text):
    """Refresh a token at the host, and return the text of the new one."""
    response = await stage.host.run("auth:refreshToken", token=text, strategy="shady")
    if response.error is not None:
        raise response.error
    return response.reply.result["jwt"]


async def alive(stage, text):
    try:
        return bool(await stage.host.security.tokens.verify(text))
    except errors.InvalidToken:
        return False


def test_a_refresh_token_is_rotated_and_stored_sealed(play, shady, tmp_path):
    second = hostile.pack({"sub": "sub-1", "n": 2})
    first = hostile.pack({"sub": "sub-1", "token": {"refresh_token": second}})

    async def scene(stage):
        _, texts = await signed_in(stage, refresh=first)
        text = texts[0]
        for expected in (first, second, second):
            text = await refreshed(stage, text)
            assert shady.forms[-1][1]["refresh_token"] == expected
        # The login of the other browser has its own refresh token.
        await refreshed(stage, texts[1])
        assert shady.forms[-1][1]["refresh_token"] == first
        # The provider is asked once for a token: a second use of a refresh token is a theft.
        asked = len(shady.forms)
        with pytest.raises(errors.InvalidToken):
            await refreshed(stage, texts[0])
        assert len(shady.forms) == asked

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
            await stage.strategy().refresh(request, dict(request.token.session))
        assert caught.value.status == 401
        assert not await alive(stage, texts[0])
        assert await alive(stage, texts[1])

    play(scene)


def test_a_user_without_an_identity_is_not_refreshed(play):
    async def scene(stage):
        await stage.host.security.users.create({"profileIds": ["default"]}, "local-only")
        with pytest.raises(errors.RefreshForbidden):
            await stage.strategy().refresh(stage.request(user="local-only"), {})
        request, texts = await signed_in(stage)
        assert await stage.strategy().refresh(request, dict(request.token.session)) == {}
        with pytest.raises(errors.RefreshForbidden):  # a token of another strategy
            await stage.strategy().refresh(request, {})
        await stage.strategy().delete(request.user.id, Actor("administrator"))
        with pytest.raises(errors.RefreshForbidden):
            await refreshed(stage, texts[0])

    play(scene)


def test_a_logout_revokes_the_refresh_token(play, shady):
    async def scene(stage):
        for number, mode in enumerate((None, 500, "hang")):
            _, texts = await signed_in(stage, refresh=f"refresh-token-{number}")
            shady.modes = {"/revoke": mode}
            response = await stage.host.run("auth:logout", token=texts[0])
            assert response.reply.result["location"] == f"{shady.issuer}/bye?client_id=hosts-id"
            assert [await alive(stage, each) for each in texts] == [False, True]
        revoked = [form["token"] for path, form in shady.forms if path == "/revoke"]
        assert revoked == [f"refresh-token-{number}" for number in range(3)]

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


def test_a_logout_token_with_a_session_ends_that_session_alone(play, shady):
    async def scene(stage):
        _, laptop = await signed_in(stage, claims={"sid": "session-1"})
        _, phone = await signed_in(stage, claims={"sid": "session-2"})
        refreshed_text = await refreshed(stage, laptop[0])
        await obeyed(stage, logout_token(shady, claims={"sid": "session-1"}))
        for text in (*laptop, refreshed_text):
            assert not await alive(stage, text)
        assert all([await alive(stage, each) for each in phone])

    play(scene)


def test_the_ids_of_logout_tokens_are_forgotten_once_they_have_expired(play, shady):
    clock = Clock()

    async def scene(stage):
        for _ in range(3):
            await obeyed(stage, logout_token(shady))
        assert len(await stage.rows("oauth-logout-tokens")) == 3
        clock.advance(600)
        exp = int(time.time()) + 7_200
        await obeyed(stage, logout_token(shady, claims={"exp": exp}))
        assert len(await stage.rows("oauth-logout-tokens")) == 1

    play(scene, clock=clock)


def test_a_token_remembers_how_the_user_proved_it_to_the_provider(play):
    async def scene(stage):
        request, _ = await signed_in(stage, claims={"amr": ["pwd", "mfa", 7, "", None]})
        assert request.token.methods == {"pwd", "mfa"}
        for amr in ("pwd", {"pwd": 1}, 7, None):
            request, _ = await signed_in(stage, claims={"amr": amr})
            assert request.token.methods == frozenset()

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
                stage.strategy().create("u", {"sub": "1"}, Actor("administrator")),
            ):
                with pytest.raises(ProviderUnavailable):
                    await call
            assert await stage.strategy().exists("u") is False

    asyncio.run(scene())
