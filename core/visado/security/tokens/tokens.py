"""Tokens: create, verify, refresh and revoke. The storage holds a document for each, so that a logout revokes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from visado import errors, events
from visado.host import Clock
from visado.request import Fields, Token, current_request
from visado.security.observers import Observers
from visado.security.tokens.connections import Connections
from visado.security.tokens.issuing import (
    IssuedToken,
    TokenOrigin,
    choose_lifetime,
    make_token,
    make_token_text,
    read_origin,
    session_text,
    session_texts,
)
from visado.security.tokens.revocations import Revocations
from visado.security.tokens.signing import Signer, fingerprint
from visado.security.tokens.verified_tokens import VerifiedTokens
from visado.settings.durations import FOREVER
from visado.settings.sections import TokenSettings
from visado.storage.bounded import BoundedDict
from visado.storage.protocol import Collection, DocumentMissing, Storage
from visado.storage.query import And, Equals, Not, Query, Range

PREFIX: Final = "kauth-"
COLLECTION: Final = "tokens"
MAX_REVOCATIONS: Final = 50_000
PURGE_BATCH: Final = 1_000
_NO_LOGIN: Final = TokenOrigin()


class Tokens:
    """The tokens of all users. `verified` caches those that were verified."""

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        signer: Signer,
        settings: TokenSettings,
        connections: Connections,
        observers: Observers,
    ) -> None:
        self._storage, self._clock, self._signer, self._settings = storage, clock, signer, settings
        self._observers = observers
        self.connections = connections
        self.verified = VerifiedTokens(clock)
        self._revocations, self._revoked = 0, BoundedDict[str, int](MAX_REVOCATIONS)
        self.revoked = Revocations(storage, clock)
        self.on_revoke_all: list[Callable[[str], Awaitable[None]]] = []
        """Awaited with the id of a user inside the transaction that revokes all of the user's tokens."""
        storage.declare(Collection(COLLECTION, ("userId", "sessionTexts", "actor")))

    @property
    def revocations(self) -> int:
        """How often all tokens of a user were revoked. Read it when a login starts, and pass it to `create`."""
        return self._revocations

    async def create(
        self,
        user_id: str,
        expires_in: int | None = None,
        *,
        single_use: bool = False,
        revocations: int | None = None,
        origin: TokenOrigin = _NO_LOGIN,
    ) -> IssuedToken:
        """Create a token; `expires_in` in milliseconds, -1 for ever, None for the default. `origin` is its login.

        Raises `TtlExceeded`, and `LoginRefused` where all tokens of the user were revoked since `revocations` was
        read: the login that started then may have used a password that is no longer valid.
        """
        if revocations is not None and self.revoked_since(user_id, revocations):
            raise errors.LoginRefused(reason="revoked meanwhile: log in again")
        ttl = choose_lifetime(expires_in, self._settings.expires_in, self._settings.max_ttl)
        now = self._clock()
        if origin.ends_at is not None:
            ttl = _shorten(ttl, origin.ends_at - now)
        expires_at, text = make_token_text(self._signer, PREFIX, user_id, ttl, now, origin.actor)
        token = make_token(fingerprint(text), user_id, expires_at, ttl, origin, single_use=single_use)
        document = {
            "userId": user_id,
            "expiresAt": expires_at,
            "endsAt": expires_at,
            "ttl": ttl,
            "singleUse": single_use,
            **origin.as_fields(),
        }
        await self._storage.create(COLLECTION, token.id, document)
        return IssuedToken(token, text)

    async def exists(self, token_id: str | None, user_id: str) -> bool:
        """Return whether a token of a user has neither ended nor been revoked. An API key is none."""
        document = await self._storage.get(COLLECTION, token_id or "")
        if document is None or document["userId"] != user_id:
            return False
        ends_at: int = document["endsAt"]
        return ends_at == FOREVER or self._clock() < ends_at

    def revoked_since(self, user_id: str, revocations: int) -> bool:
        """Return whether all tokens of a user were revoked since `revocations` was read."""
        return (self._revoked.get(user_id) or 0) > revocations

    async def verify(self, text: str) -> Token:
        """Return the token of a text. Raises `InvalidToken`, `ExpiredToken`."""
        verified = self.verified.get(text)
        if verified is not None:
            token, ends_at = verified
            if ends_at == FOREVER or self._clock() < ends_at:
                return token
            self.verified.remove(token.id)
            raise _ended(token.expires_at, ends_at)
        return await self._verify(text)

    async def _verify(self, text: str) -> Token:
        if not text.startswith(PREFIX):
            raise errors.InvalidToken
        claims = self._signer.read_claims(PREFIX, text)
        removals, token_id = self.verified.removals, fingerprint(text)
        document = await self._storage.get(COLLECTION, token_id)
        if document is None or document["userId"] != claims["_id"]:
            raise errors.InvalidToken
        ends_at = document["endsAt"]
        if ends_at != FOREVER and self._clock() >= ends_at:
            raise _ended(document["expiresAt"], ends_at)
        user_id, expires_at, ttl = document["userId"], document["expiresAt"], document["ttl"]
        origin, single_use = read_origin(document), document["singleUse"]
        token = make_token(token_id, user_id, expires_at, ttl, origin, single_use=single_use)
        if not token.single_use:
            self.verified.add(text, token, ends_at, removals)
        return token

    async def consume(self, token: Token) -> None:
        """Delete a single-use token. Raises `InvalidToken` where another request did so before."""
        if not await self._storage.delete(COLLECTION, token.id):
            raise errors.InvalidToken

    async def check_unrefreshed(self, token: Token) -> None:
        """Raise `InvalidToken` where the token was refreshed before, and `RefreshForbidden` where it never can be."""
        _check_refreshable(token)
        document = await self._storage.get(COLLECTION, token.id)
        if document is None or document.get("refreshed"):
            raise errors.InvalidToken

    async def refresh(
        self, token: Token, expires_in: int | None = None, session: Mapping[str, Any] | None = None
    ) -> IssuedToken:
        """Create the successor of a token, which itself works until the grace period ends.

        With `session`, the successor has this session; otherwise that of the token. Raises `InvalidToken` where it was
        refreshed before, `RefreshForbidden`, `TtlExceeded`.
        """
        _check_refreshable(token)
        choose_lifetime(expires_in, self._settings.expires_in, self._settings.max_ttl)
        ends_at = min(token.expires_at, self._clock() + self._settings.grace_period)

        def end_after_grace_period(document: Mapping[str, Any]) -> Fields:
            if document.get("refreshed"):
                raise errors.InvalidToken
            return {**document, "endsAt": ends_at, "refreshed": True}

        async with self._storage.transaction():
            try:
                document = await self._storage.update(COLLECTION, token.id, end_after_grace_period)
            except DocumentMissing:
                raise errors.InvalidToken from None
            origin = read_origin(document)
            if session is not None:
                origin = replace(origin, session=session)
            issued = await self.create(token.user_id, expires_in, origin=origin)
            self._storage.after_commit(lambda: self.verified.remove(token.id))
            self._storage.after_commit(lambda: self.connections.move(token.id, issued.token))
        return issued

    async def revoke(self, token: Token) -> None:
        """Revoke one token."""
        async with self._storage.transaction():
            await self._storage.delete(COLLECTION, token.id)
            self.forget_after_commit(token.id)

    async def revoke_all(
        self, user_id: str, *, keep: str | None = None, notify: bool = False, strategy: str | None = None
    ) -> None:
        """Revoke every token of a user except the one with the id `keep`, and tell the observers.

        API keys stay, and foreign credentials are verified again. With `notify`, the user's open sockets are told that
        their tokens expired. `strategy` is the strategy that the observers are told.
        """
        async with self._storage.transaction():
            await self.delete_all(user_id, keep=keep, notify=notify)
            self._observers.note(events.TokensRevoked(target=user_id, strategy=strategy))

    async def delete_all(self, user_id: str, *, keep: str | None = None, notify: bool = False) -> None:
        """Revoke every token of a user without the event `TokensRevoked`: for a change that has an event of its own.

        The tokens with which the user acts as another are revoked, too.
        """
        self._revocations += 1
        self._revoked.set(user_id, self._revocations)
        async with self._storage.transaction():
            await self.revoked.note(user_id)
            for member in ("userId", "actor"):
                page = await self._storage.search(COLLECTION, Query(Equals(member, user_id)))
                for token_id, _ in page.hits:
                    if token_id != keep:
                        await self._storage.delete(COLLECTION, token_id)
                        self.forget_after_commit(token_id, notify=notify)
            self._storage.after_commit(lambda: self._forget_foreign(user_id, keep, notify))
            for callback in self.on_revoke_all:
                await callback(user_id)

    def _forget_foreign(self, user_id: str, keep: str | None, notify: bool) -> None:
        """Forget the foreign credentials of a user except `keep`: the next request with one verifies it again."""
        for token in list(self.verified.foreign(user_id)):
            if token.id != keep:
                self._forget(token.id, notify)

    async def revoke_others(self, user_id: str) -> None:
        """Revoke every token of a user except the one of the current request, if it is the user's."""
        request = current_request()
        current = request.token if request is not None and request.user.id == user_id else None
        await self.delete_all(user_id, keep=current.id if current is not None else None)

    async def revoke_of(self, strategy: str, **session: str) -> int:
        """Revoke the tokens of a strategy in whose session these members have these values; return how many.

        The users' open sockets are told that their tokens expired. Raises `ValueError` without a member.
        """
        wanted = [Equals("sessionTexts", session_text(strategy, name, each)) for name, each in session.items()]
        if not wanted:
            raise ValueError("name a member of the session")
        async with self._storage.transaction():
            hits = (await self._storage.search(COLLECTION, Query(And(tuple(wanted))))).hits
            for token_id, document in hits:
                if await self._storage.delete(COLLECTION, token_id):
                    self.forget_after_commit(token_id, notify=True)
                    self._observers.note(events.TokensRevoked(target=document["userId"], strategy=strategy))
        return len(hits)

    def forget_after_commit(self, token_id: str, *, notify: bool = False) -> None:
        """Remove a token from the cache, and from its connections, once the transaction that deletes it commits."""
        self._storage.after_commit(lambda: self._forget(token_id, notify))

    def _forget(self, token_id: str, notify: bool) -> None:
        self.verified.remove(token_id)
        (self.connections.expire if notify else self.connections.drop)(token_id)

    def derive(self, token: Token) -> TokenOrigin:
        """Return the origin of a further token of a token's user: it is no wider, and ends with the same session."""
        ends_with = session_texts(token.strategy, token.session)
        return TokenOrigin(actor=token.actor, allow=token.allow, ends_at=token.latest_end, ends_with=ends_with)

    async def purge(self) -> int:
        """Delete the documents of ended tokens, in batches; return how many."""
        ended = And((Not(Equals("endsAt", FOREVER)), Range("endsAt", lte=self._clock())))
        purged = 0
        while hits := (await self._storage.search(COLLECTION, Query(ended, limit=PURGE_BATCH))).hits:
            async with self._storage.transaction():
                for token_id, _ in hits:
                    await self._storage.delete(COLLECTION, token_id)
                    self.forget_after_commit(token_id)
            purged += len(hits)
        return purged


def _check_refreshable(token: Token) -> None:
    if token.kind != "token":
        raise errors.RefreshForbidden(what="API Key" if token.kind == "api-key" else "Foreign token")
    if token.expires_at == FOREVER:
        raise errors.RefreshForbidden(what="Token with infinite TTL")


def _shorten(ttl: int, left: int) -> int:
    """Return a lifetime that ends with a session, both in ms. Raises `LoginRefused` where the session has ended."""
    if left <= 0:
        raise errors.LoginRefused(reason="the session at the identity provider has ended")
    return left if ttl == FOREVER else min(ttl, left)


def _ended(expires_at: int, ends_at: int) -> errors.InvalidToken:
    """Return `ExpiredToken` for a token that expired, and `InvalidToken` for one that was refreshed before."""
    return errors.ExpiredToken() if expires_at == ends_at else errors.InvalidToken()
