"""Which credentials are whose: valid ones, invalid ones, altered ones, unsigned ones, and none at all."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import replace

import pytest

from visado import TokenVerifier
from visado_kit.client_request import ClientRequest
from visado_kit.expectations import MAX_TIMEOUT_SECONDS, short_repr
from visado_kit.harness import with_harness
from visado_kit.token_verifier.suite import (
    ANONYMOUS_ID,
    TokenVerifierHarness,
    TokenVerifierSuite,
    altered,
    describe,
    expect_no_user,
)


class TokenVerifierCredentials(TokenVerifierSuite):
    """A valid credential is its user, and no other credential is anybody."""

    @with_harness
    async def test_is_declared_well(self, harness: TokenVerifierHarness) -> None:
        """The name and the limits are valid, and the verifier has no problem."""
        verifier = harness.verifier
        assert isinstance(verifier, TokenVerifier), (
            "make() must return an instance of a subclass of visado.TokenVerifier"
        )
        assert verifier.name.isprintable(), f"name: use a printable word, which operators see; not {verifier.name!r}"
        assert 0 < verifier.timeout <= MAX_TIMEOUT_SECONDS, (
            f"timeout: use more than 0 and at most {MAX_TIMEOUT_SECONDS} seconds, not {verifier.timeout}"
        )
        problem = verifier.problem()
        assert problem is None, f"problem() must return None in a host where the verifier can work, not {problem!r}"

    @with_harness
    async def test_a_valid_credential_is_its_user(self, harness: TokenVerifierHarness) -> None:
        """Each valid credential is one user, the same at each request; credentials of two users are two."""
        users: list[str | None] = []
        for number in (0, 1, 0):
            sent = await self.enrolled(harness, number) if len(users) < 2 else self.valid(harness, number)
            response = await harness.run(sent)
            assert response.error is None, (
                "return Verified from verify() for a valid credential, with expires_at in milliseconds since 1970; the "
                f"client got {describe(response)}"
            )
            users.append(await harness.user(sent))
        assert ANONYMOUS_ID not in users, "return the credential from find(): the host took the request for anonymous"
        assert users[0] == users[2], "return the same user for the same credential"
        assert users[0] != users[1], "return another user for the credential of another user"

    @with_harness
    async def test_requests_without_a_credential_are_anonymous(self, harness: TokenVerifierHarness) -> None:
        """A request without a bearer token and without headers is anonymous."""
        await self.enrolled(harness)
        assert harness.verifier.find(harness.build(ClientRequest())) is None, (
            "return None from find() for a request without credential"
        )
        assert await harness.user(ClientRequest()) == ANONYMOUS_ID

    @with_harness
    async def test_invalid_credentials_are_refused(self, harness: TokenVerifierHarness) -> None:
        """Every credential of `invalid` is refused, before and after a valid one was accepted."""
        sent = await self.enrolled(harness)
        for when in ("before", "after"):
            for number, each in enumerate(self.invalid(harness)):
                advice = f"number {number} of invalid() must be refused {when} a valid one: return None from verify()"
                expect_no_user(await harness.run(each), advice)
            await harness.run(sent)

    @with_harness
    async def test_altered_credentials_are_refused(self, harness: TokenVerifierHarness) -> None:
        """A valid credential with other characters, or cut off, is refused while the valid one is cached."""
        if not self.unforgeable:
            pytest.skip("unforgeable is False: an altered credential may be valid")
        sent = await self.enrolled(harness)
        await harness.run(sent)
        for other in altered(sent):
            if harness.verifier.find(harness.build(other)) == harness.verifier.find(harness.build(sent)):
                advice = "return from find() all that verify() depends on: the host caches the result by this text"
            else:
                advice = "verify the whole credential, with its signature: return None from verify() for another one"
            expect_no_user(await harness.run(other), advice)

    @with_harness
    async def test_unsigned_tokens_are_refused(self, harness: TokenVerifierHarness) -> None:
        """A valid JWT with the algorithm `none`, or signed with an empty key, is refused."""
        sent = await self.enrolled(harness)
        forged = list(_forged(sent.token or ""))
        if not forged:
            pytest.skip("the credential is no JWT")
        for each in forged:
            expect_no_user(
                await harness.run(replace(sent, token=each)),
                "fix the algorithms: accept those of the issuer's keys, whatever the header of the token says; this "
                f"token was {short_repr(each)}",
            )


def _forged(text: str) -> Iterable[str]:
    try:
        header, claims, _ = text.split(".")
        fields = json.loads(_decoded(header))
        json.loads(_decoded(claims))
    except (ValueError, TypeError):
        return
    for algorithm in ("none", "None", "HS256"):
        signed = f"{_encoded(json.dumps({**fields, 'alg': algorithm}).encode())}.{claims}"
        digest = hmac.new(b"", signed.encode(), hashlib.sha256).digest()
        yield f"{signed}.{_encoded(digest) if algorithm == 'HS256' else ''}"


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
