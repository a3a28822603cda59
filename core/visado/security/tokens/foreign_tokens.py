"""Foreign tokens: credentials that the host did not issue, verified by plugins and cached with the host's own tokens.

Owns which user a verified credential is of, for how long it is cached, and that equal credentials are verified once.
Does not own the calls of a verifier (`token_verifiers`).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

from visado import errors
from visado.host import Clock
from visado.request import Request, Token, User
from visado.security.tokens.token_verifiers import Credential, TokenVerifiers
from visado.security.tokens.tokens import Tokens
from visado.security.users.users import Users
from visado.settings.durations import FOREVER
from visado.strategy import AccountRules, Identity
from visado.token_verifier import Verified

MAX_EXPIRES_AT: Final = 2**53 - 1
"""The largest time, in ms since 1970, that clients read exactly."""
_MS_PER_SECOND: Final = 1_000
_log = logging.getLogger("visado.verifiers")


class Resolve(Protocol):
    """Finds the user of an identity, or makes one. Raises `LoginRefused` where there is none."""

    async def __call__(self, strategy: str, identity: Identity, rules: AccountRules) -> User:
        """Return the user."""
        ...


class ForeignTokens:
    """The credentials that token verifiers know."""

    def __init__(self, verifiers: TokenVerifiers, tokens: Tokens, users: Users, resolve: Resolve, clock: Clock) -> None:
        self.verifiers = verifiers
        self._tokens, self._users, self._resolve, self._clock = tokens, users, resolve, clock
        self._running: dict[tuple[str, str], asyncio.Task[Token]] = {}

    async def verify(self, credential: Credential, request: Request) -> Token:
        """Return the token of a credential. Of equal credentials at once, the verifier is asked for one.

        Invalid credentials are not cached. Raises `InvalidToken`, `ExpiredToken`, and what `TokenVerifiers.verify`
        raises.
        """
        cached = self._tokens.verified.get(credential.key)
        if cached is not None and self._clock() < cached[1]:
            return cached[0]
        running = self._running.get(credential.key)
        if running is None:
            running = self._running[credential.key] = asyncio.create_task(self._verify(credential, request))
            running.add_done_callback(lambda done: self._end(credential, done))
        try:
            return await asyncio.shield(running)
        finally:
            del running  # or the traceback of an error would refer to itself

    def _end(self, credential: Credential, done: asyncio.Task[Token]) -> None:
        del self._running[credential.key]
        if not done.cancelled():
            done.exception()  # read it, where every request that waited was cancelled

    async def _verify(self, credential: Credential, request: Request) -> Token:
        tokens, started_at, revocations = self._tokens, self._clock(), self._tokens.revocations
        verified = await self.verifiers.verify(credential, request)
        if verified is None:
            raise errors.InvalidToken
        if verified.expires_at is not None and verified.expires_at <= self._clock():
            raise errors.ExpiredToken
        user_id = await self._find_user(credential, verified)
        if not self.verifiers.is_available(credential.verifier.name):  # disabled meanwhile
            raise errors.InvalidToken
        token = _token(credential, verified, user_id, started_at)
        ends_at = started_at + int(verified.recheck * _MS_PER_SECOND)
        if token.expires_at != FOREVER:
            ends_at = min(ends_at, token.expires_at)
        if not tokens.revoked_since(user_id, revocations):
            before = tokens.verified.get(credential.key)
            tokens.verified.add_foreign(credential.key, token, ends_at)
            if before is not None and before[0].expires_at != token.expires_at:
                tokens.connections.renew(token)
        return token

    async def _find_user(self, credential: Credential, verified: Verified) -> str:
        """Return the id of the user of a verified credential. Raises `InvalidToken` where there is none."""
        verifier, who = credential.verifier, verified.who
        if isinstance(who, Identity):
            try:
                return (await self._resolve(verifier.name, who, verifier.accounts)).id
            except errors.LoginRefused as refusal:
                _log.info("a credential that the token verifier %r accepts has no user: %s", verifier.name, refusal)
                raise errors.InvalidToken from None
        user = await self._users.get(who)
        if user is None or user.anonymous:
            _log.warning("the token verifier %r returned the id of an unknown user", verifier.name)
            raise errors.InvalidToken
        return user.id

    def forget_unavailable(self) -> None:
        """Forget the tokens of verifiers whose plugins are unavailable, and tell their sockets."""
        for token in list(self._tokens.verified.foreign()):
            if not self.verifiers.is_available(token.strategy or ""):
                self._tokens.verified.remove(token.id)
                self._tokens.connections.expire(token.id)

    def forget(self, verifier: str, user_id: str) -> None:
        """Forget the tokens of a user whose identity of a verifier is unlinked, and tell their sockets."""
        for token in list(self._tokens.verified.foreign(user_id)):
            if token.strategy == verifier:
                self._tokens.verified.remove(token.id)
                self._tokens.connections.expire(token.id)

    async def close(self) -> None:
        """Cancel what runs, and close the verifiers."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self.verifiers.close()


def _token(credential: Credential, verified: Verified, user_id: str, now: int) -> Token:
    name, digest = credential.key
    expires_at = FOREVER if verified.expires_at is None else min(verified.expires_at, MAX_EXPIRES_AT)
    return Token(
        f"foreign/{name}/{digest}",
        user_id,
        expires_at,
        FOREVER if expires_at == FOREVER else expires_at - now,
        kind="foreign",
        strategy=name,
        session=dict(verified.session),
        allow=verified.allow,
    )
