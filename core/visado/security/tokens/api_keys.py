"""API keys: tokens that outlive a logout, kept as fingerprints only."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from visado import errors, events
from visado.host import Clock
from visado.request import Fields, Token
from visado.security.documents import METADATA, build_metadata, format_document
from visado.security.observers import Observers
from visado.security.tokens.signing import Signer, fingerprint
from visado.security.tokens.tokens import Tokens, lifetime, mint
from visado.settings.durations import FOREVER
from visado.storage.protocol import Collection, DocumentExists, Storage
from visado.storage.query import And, Equals, Page, Query

PREFIX: Final = "kapikey-"
COLLECTION: Final = "api-keys"


class ApiKeys:
    """The keys of all users. A key that was verified is remembered beside the tokens."""

    def __init__(self, storage: Storage, clock: Clock, signer: Signer, tokens: Tokens, observers: Observers) -> None:
        self._storage, self._clock, self._signer, self._tokens = storage, clock, signer, tokens
        self._observers = observers
        storage.declare(Collection(COLLECTION, ("userId", "fingerprint")))

    async def create(
        self,
        user_id: str,
        description: str,
        *,
        author: str,
        id: str | None,
        expires_in: int | None,
        longest: int,
    ) -> Fields:
        """Make a key; its text is in the answer, and nowhere else. Raises `DocumentAlreadyExists`, `TtlExceeded`."""
        ttl = lifetime(expires_in, FOREVER, longest)
        now = self._clock()
        expires_at, text = mint(self._signer, PREFIX, user_id, ttl, now)
        key_id = id or str(uuid.uuid4())
        source = {
            "userId": user_id,
            "description": description,
            "expiresAt": expires_at,
            "ttl": ttl,
            "fingerprint": fingerprint(text),
            METADATA: build_metadata(now, author=author),
        }
        try:
            async with self._storage.transaction():
                await self._storage.create(COLLECTION, key_id, source)
                self._observers.note(events.ApiKeyChanged(change="created", target=key_id, user=user_id))
        except DocumentExists:
            raise errors.DocumentAlreadyExists from None
        return format_document(key_id, {**source, "token": text})

    async def verify(self, text: str) -> Token:
        """Find out whose key this is. Raises `InvalidToken`, `ExpiredToken`."""
        claims, changes = self._signer.claims(PREFIX, text), self._tokens.changes
        page = await self._storage.search(COLLECTION, Query(Equals("fingerprint", fingerprint(text)), limit=1))
        if not page.hits or page.hits[0][1]["userId"] != claims["_id"]:
            raise errors.InvalidToken
        key_id, row = page.hits[0]
        if row["expiresAt"] != FOREVER and self._clock() >= row["expiresAt"]:
            raise errors.ExpiredToken
        token = Token(_token_id(key_id), row["userId"], row["expiresAt"], row["ttl"], kind="api-key")
        if changes == self._tokens.changes:
            self._tokens.remember(text, token, row["expiresAt"])
        return token

    async def search(self, user_id: str, query: Query) -> Page:
        """A page of a user's keys."""
        mine = And((Equals("userId", user_id), query.where))
        return await self._storage.search(COLLECTION, replace(query, where=mine))

    async def delete(self, user_id: str, key_id: str) -> None:
        """End a key. Raises `DocumentNotFound`, `ApiKeyNotFound`."""
        row = await self._storage.get(COLLECTION, key_id)
        if row is None:
            raise errors.DocumentNotFound(id=key_id, index="kuzzle", collection=COLLECTION)
        if row["userId"] != user_id:
            raise errors.ApiKeyNotFound(id=key_id, user=user_id)
        await self._delete(user_id, key_id)

    async def delete_all(self, user_id: str) -> None:
        """End every key of a user."""
        for key_id, _ in (await self._storage.search(COLLECTION, Query(Equals("userId", user_id)))).hits:
            await self._delete(user_id, key_id)

    async def _delete(self, user_id: str, key_id: str) -> None:
        async with self._storage.transaction():
            await self._storage.delete(COLLECTION, key_id)
            self._tokens.end(_token_id(key_id))
            self._observers.note(events.ApiKeyChanged(change="deleted", target=key_id, user=user_id))


def listed(id: str, row: Mapping[str, Any]) -> Fields:
    """Show a key in a list: never its text, which nobody has."""
    return format_document(id, {name: value for name, value in row.items() if name != METADATA})


def _token_id(key_id: str) -> str:
    return f"api-key/{key_id}"
