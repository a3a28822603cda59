"""Tokens: issue, verify, refresh, revoke. A row per token makes logging out real."""

from __future__ import annotations

import math
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from visado import errors, events
from visado.host import Clock
from visado.request import Fields, Token, current_request
from visado.security.observers import Observers
from visado.security.tokens.connections import Connections
from visado.security.tokens.signing import Signer, fingerprint
from visado.settings.durations import FOREVER
from visado.settings.sections import TokenSettings
from visado.storage.bounded import BoundedDict
from visado.storage.protocol import Collection, DocumentMissing, Storage
from visado.storage.query import And, Equals, Not, Query, Range

PREFIX: Final = "kauth-"
COLLECTION: Final = "tokens"
_MAX_CACHED_TOKENS: Final = 50_000
_MAX_REVOCATIONS: Final = 50_000
_PURGED_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token: what is kept of it, and its text, which is shown once."""

    token: Token
    text: str

    def __repr__(self) -> str:
        return f"<Issued {self.token.id}>"

    def shown(self, *, with_text: bool = True) -> Fields:
        """Show it as `auth:login` does; without the text where a cookie carries it."""
        token = self.token
        text = {"jwt": self.text} if with_text else {}
        return {"_id": token.user_id, "expiresAt": token.expires_at, **text, "ttl": token.ttl}


class Tokens:
    """The tokens that are alive. What was verified once is remembered until it ends."""

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        signer: Signer,
        settings: TokenSettings,
        links: Connections,
        observers: Observers,
    ) -> None:
        self._storage, self._clock, self._signer, self._settings = storage, clock, signer, settings
        self._observers = observers
        self.links = links
        # Text -> the token and when it stops working; and id -> text, to remove an entry by the id of its token.
        # Both are written in the same order, so that both remove the same token when they are full.
        self._verified = BoundedDict[str, tuple[Token, int]](_MAX_CACHED_TOKENS)
        self._texts = BoundedDict[str, str](_MAX_CACHED_TOKENS)
        self.changes = 0
        self._moment, self._revoked = 0, BoundedDict[str, int](_MAX_REVOCATIONS)
        self.on_revoke: list[Callable[[str], Awaitable[None]]] = []
        storage.declare(Collection(COLLECTION, ("userId",)))

    async def create(
        self, user_id: str, expires_in: int | None = None, *, single_use: bool = False, since: int | None = None
    ) -> Issued:
        """Make a token. Raises `TtlExceeded`, and `LoginRefused` where the user's tokens were revoked after `since`.

        `since` is what `moment` said before the user was asked for a password, which may be another by now.
        """
        if since is not None and (self._revoked.get(user_id) or 0) > since:
            raise errors.LoginRefused(reason="revoked meanwhile: log in again")
        ttl = lifetime(expires_in, self._settings.expires_in, self._settings.max_ttl)
        expires_at, text = mint(self._signer, PREFIX, user_id, ttl, self._clock())
        token = Token(fingerprint(text), user_id, expires_at, ttl, single_use=single_use)
        row = {
            "userId": user_id,
            "expiresAt": expires_at,
            "endsAt": expires_at,
            "ttl": ttl,
            "singleUse": single_use,
        }
        await self._storage.create(COLLECTION, token.id, row)
        return Issued(token, text)

    def knows(self, text: str) -> bool:
        """Whether this text was verified before, and is remembered."""
        return text in self._verified

    def depend_on(self, text: str) -> None:
        """Note that the answer to the present request rests on a token that has just been verified."""
        request = current_request()
        if request is not None and request.depends_on is not None:
            known = self._verified.get(text)
            if known is None:  # it works once
                request.depends_on = None
            else:
                request.depends_on.append((text, known))

    def still_valid(self, depends_on: Iterable[tuple[str, Any]]) -> bool:
        """Whether every token that an answer rests on would be verified again, and be the same."""
        for text, known in depends_on:
            now = self._verified.get(text)
            if now is None or now is not known or (now[1] != FOREVER and self._clock() >= now[1]):
                return False
        return True

    async def verify(self, text: str) -> Token:
        """Find out whose token this is. Raises `InvalidToken`, `ExpiredToken`."""
        known = self._verified.get(text)
        if known is not None:
            if known[1] == FOREVER or self._clock() < known[1]:
                return known[0]
            self.forget(known[0].id)
            raise _ended(known[0].expires_at, known[1])
        return await self._verify(text)

    async def _verify(self, text: str) -> Token:
        if not text.startswith(PREFIX):
            raise errors.InvalidToken
        claims = self._signer.claims(PREFIX, text)
        changes, token_id = self.changes, fingerprint(text)
        row = await self._storage.get(COLLECTION, token_id)
        if row is None or row["userId"] != claims["_id"]:
            raise errors.InvalidToken
        if row["endsAt"] != FOREVER and self._clock() >= row["endsAt"]:
            raise _ended(row["expiresAt"], row["endsAt"])
        token = Token(token_id, row["userId"], row["expiresAt"], row["ttl"], single_use=row["singleUse"])
        if changes == self.changes and not token.single_use:
            self.remember(text, token, row["endsAt"])
        return token

    def remember(self, text: str, token: Token, ends_at: int) -> None:
        """Spare the next request the verification."""
        self._verified.set(text, (token, ends_at))
        self._texts.set(token.id, text)

    def forget(self, token_id: str) -> None:
        """Verify again next time."""
        self.changes += 1
        text = self._texts.pop(token_id, None)
        if text is not None:
            self._verified.pop(text, None)

    async def use_up(self, token: Token) -> None:
        """Spend a single-use token: one of any number of requests wins. Raises `InvalidToken` for the others."""
        if not await self._storage.delete(COLLECTION, token.id):
            raise errors.InvalidToken

    async def refresh(self, token: Token, expires_in: int | None = None) -> Issued:
        """Make a successor; the token works on for the grace period. Raises `InvalidToken`, `RefreshForbidden`."""
        if token.kind == "api-key":
            raise errors.RefreshForbidden(what="API Key")
        if token.expires_at == FOREVER:
            raise errors.RefreshForbidden(what="Token with infinite TTL")
        lifetime(expires_in, self._settings.expires_in, self._settings.max_ttl)
        ends_at = min(token.expires_at, self._clock() + self._settings.grace_period)

        def end_soon(row: Mapping[str, Any]) -> Fields:
            if row.get("refreshed"):
                raise errors.InvalidToken
            return {**row, "endsAt": ends_at, "refreshed": True}

        async with self._storage.transaction():
            try:
                await self._storage.update(COLLECTION, token.id, end_soon)
            except DocumentMissing:
                raise errors.InvalidToken from None
            issued = await self.create(token.user_id, expires_in)
            self._storage.after_commit(lambda: self.forget(token.id))
            self._storage.after_commit(lambda: self.links.move(token.id, issued.token))
        return issued

    async def revoke(self, token: Token) -> None:
        """End a token now."""
        async with self._storage.transaction():
            await self._storage.delete(COLLECTION, token.id)
            self.end(token.id)

    async def revoke_all(
        self, user_id: str, *, keep: str | None = None, tell: bool = False, strategy: str | None = None
    ) -> None:
        """End every token of a user, but the one with the id `keep`, and tell the observers; `tell` tells sockets."""
        async with self._storage.transaction():
            await self.end_all(user_id, keep=keep, tell=tell)
            self._observers.note(events.TokensRevoked(target=user_id, strategy=strategy))

    async def end_all(self, user_id: str, *, keep: str | None = None, tell: bool = False) -> None:
        """Do the same as a part of something else, of which the observers are told."""
        self._moment += 1
        self._revoked.set(user_id, self._moment)
        async with self._storage.transaction():
            page = await self._storage.search(COLLECTION, Query(Equals("userId", user_id)))
            for token_id, _ in page.hits:
                if token_id != keep:
                    await self._storage.delete(COLLECTION, token_id)
                    self.end(token_id, tell=tell)
            for forget in self.on_revoke:
                await forget(user_id)

    async def revoke_others(self, user_id: str) -> None:
        """End every token of a user, but the one with which the user asks for it."""
        request = current_request()
        own = request.token if request is not None and request.user.id == user_id else None
        await self.end_all(user_id, keep=own.id if own is not None else None)

    def moment(self) -> int:
        """Say when a login began, for `create`."""
        return self._moment

    def end(self, token_id: str, *, tell: bool = False) -> None:
        """Stop remembering a token whose row is being deleted, as soon as it is gone."""

        def forget() -> None:
            self.forget(token_id)
            (self.links.expire if tell else self.links.drop)(token_id)

        self._storage.after_commit(forget)

    async def purge(self) -> int:
        """Forget the rows of tokens that have ended, some at a time; return how many."""
        ended = And((Not(Equals("endsAt", FOREVER)), Range("endsAt", lte=self._clock())))
        purged = 0
        while hits := (await self._storage.search(COLLECTION, Query(ended, limit=_PURGED_AT_ONCE))).hits:
            async with self._storage.transaction():
                for token_id, _ in hits:
                    await self._storage.delete(COLLECTION, token_id)
                    self.end(token_id)
            purged += len(hits)
        return purged


def _ended(expires_at: int, ends_at: int) -> errors.InvalidToken:
    """Say whether a token came to its end, or was refreshed before."""
    return errors.ExpiredToken() if expires_at == ends_at else errors.InvalidToken()


def lifetime(asked: int | None, default: int, longest: int) -> int:
    """Settle a lifetime in milliseconds. Raises `TtlExceeded`."""
    ttl = default if asked is None else asked
    if longest != FOREVER and (ttl == FOREVER or ttl > longest):
        raise errors.TtlExceeded
    return ttl


def mint(signer: Signer, prefix: str, user_id: str, ttl: int, now: int) -> tuple[int, str]:
    """Sign a token: when it ends in milliseconds, and its text.

    The claim `exp` counts whole seconds and is rounded up: the row says when, to the millisecond.
    """
    claims: Fields = {"_id": user_id, "iat": now // 1_000, "jti": secrets.token_hex(8)}
    expires_at = FOREVER
    if ttl != FOREVER:
        expires_at = now + ttl
        claims["exp"] = math.ceil(expires_at / 1_000)
    return expires_at, signer.sign(prefix, claims)
