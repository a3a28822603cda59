"""A host in this process, and an issuer whose keys rotate, or who is down, or hangs, or talks nonsense."""

import asyncio
import json
import time

import pytest
from issuer import EC, RSA, Issuer, b64, forged
from visado_kit import Clock, build_host

from visado_jwt import verifier


@pytest.fixture
def issuer():
    issuer = Issuer()
    yield issuer
    issuer.stop()


@pytest.fixture
def later(monkeypatch):
    """Move the clock by which the verifier reads keys again."""
    ahead = 0.0

    def move(seconds):
        nonlocal ahead
        ahead += seconds

    monkeypatch.setattr(verifier, "monotonic", lambda: time.monotonic() + ahead)
    return move


@pytest.fixture
def play(tmp_path, issuer):
    """Run a test in a host, with a function that sends a token and returns the id of the error, or of the user."""

    def run(test, clock=None, **settings):
        async def main():
            arguments = () if clock is None else (clock,)
            async with build_host(tmp_path, {"jwt": issuer.settings(**settings)}, *arguments) as host:
                await host.open()

                async def send(token):
                    response = await host.run("auth:getCurrentUser", token=token)
                    return response.error.id if response.error else response.reply.result["_id"]

                await test(host, send)

        asyncio.run(main())

    return run


REFUSED = "security.token.invalid"
UNAVAILABLE = "jwt.keys.unavailable"


def test_a_rotated_key_is_found_and_a_withdrawn_one_refused(play, issuer, later):
    async def test(host, send):
        old = issuer.token()
        user = await send(old)
        issuer.keys = {"r1": RSA[1], "e1": EC[1]}
        later(6)
        assert await send(issuer.token("r1")) == user
        assert await send(issuer.token("e1")) == user
        assert issuer.fetches == 2
        assert await send(old) == REFUSED

    play(test, recheck=0)


def test_a_withdrawn_key_is_refused_in_time(play, issuer, later):
    async def test(host, send):
        assert await send(issuer.token()) != REFUSED
        issuer.keys = {"r1": RSA[1]}
        later(301)
        assert await send(issuer.token(key=RSA[0], jti="2")) == REFUSED

    play(test)


def test_without_the_issuer_known_keys_work_for_an_hour(play, issuer, later):
    async def test(host, send):
        user = await send(issuer.token())
        issuer.stop()
        later(6)
        assert await send(issuer.token(jti="2")) == user
        assert await send(issuer.token("r1", key=RSA[1])) == UNAVAILABLE
        assert await send(issuer.token(jti="3")) == user
        [jwt] = host.token_verifiers
        assert "cannot be read" in jwt.problem()
        later(3_601)
        assert await send(issuer.token(jti="4")) == UNAVAILABLE
        issuer.start()
        issuer.keys["r1"] = RSA[1]
        later(6)
        assert await send(issuer.token("r1")) == user
        assert jwt.problem() is None

    play(test)


NONSENSE = [
    b"",
    b"<html>",
    b"[]",
    b"{}",
    b'{"keys": 7}',
    b'{"keys": [7, null]}',
    b"\xff",
    b'{"keys": [{"kty": "oct", "k": "AAAA", "kid": ["x"]}]}',
    b"[" * 100_000,
]


def test_an_issuer_that_talks_nonsense(play, issuer, later):
    async def test(host, send):
        for answer in NONSENSE:
            issuer.answer = answer
            assert await send(issuer.token()) == UNAVAILABLE, answer
            later(6)
        issuer.answer = None
        assert await send(issuer.token()) != UNAVAILABLE

    play(test)


def test_an_issuer_that_hangs_delays_one_request_alone(play, issuer):
    async def test(host, send):
        issuer.hang = True
        before = time.monotonic()
        assert await send(issuer.token()) == UNAVAILABLE
        assert time.monotonic() - before < 4
        before = time.monotonic()
        assert await send(issuer.token(sub="next")) == UNAVAILABLE
        assert time.monotonic() - before < 1

    play(test)


def test_a_shared_key_in_the_jwks_is_not_used(play, issuer):
    async def test(host, send):
        secret = b"0123456789abcdef0123456789abcdef"
        keys = [*issuer.jwks()["keys"], {"kty": "oct", "k": b64(secret), "kid": "h", "alg": "HS256"}]
        issuer.answer = json.dumps({"keys": keys}).encode()
        assert await send(issuer.token()) != REFUSED
        assert await send(forged({"alg": "HS256", "kid": "h"}, issuer.claims(), secret)) == REFUSED

    play(test)


def test_a_key_for_encryption_is_not_used(play, issuer):
    async def test(host, send):
        keys = issuer.jwks()["keys"]
        issuer.answer = json.dumps({"keys": [{**keys[0], "use": "enc"}, keys[1]]}).encode()
        assert await send(issuer.token("r0")) == REFUSED
        assert await send(issuer.token("e0")) != REFUSED

    play(test)


def test_one_verification_for_many_requests(play, issuer, monkeypatch):
    calls = 0
    verify = verifier.JwtVerifier.verify

    async def counted(*arguments):
        nonlocal calls
        calls += 1
        return await verify(*arguments)

    monkeypatch.setattr(verifier.JwtVerifier, "verify", counted)
    clock = Clock()

    async def test(host, send):
        token = issuer.token()
        for _ in range(10):
            assert len({*await asyncio.gather(*(send(token) for _ in range(100)))}) == 1
        assert (calls, issuer.fetches) == (1, 1)
        clock.advance(61)
        await asyncio.gather(*(send(token) for _ in range(100)))
        assert (calls, issuer.fetches) == (2, 1)

    play(test, clock)


def test_it_ends_when_it_says(play, issuer):
    clock = Clock()

    async def test(host, send):
        token = issuer.token(exp=clock.now // 1_000 + 20)
        user = await send(token)
        clock.advance(20 + 29)
        assert await send(token) == user
        clock.advance(2)
        assert await send(token) == REFUSED

    play(test, clock, recheck=86_400)


@pytest.mark.parametrize(
    "wrong",
    [
        {"keys": "file:///etc/passwd"},
        {"leeway": -1},
        {"leeway": "1h"},
        {"recheck": "2 days"},
        {"isuer": ""},
        {"audience": ""},
    ],
)
def test_settings_are_checked(play, wrong):
    async def test(host, send):
        pass

    with pytest.raises(Exception, match="jwt"):
        play(test, **wrong)
