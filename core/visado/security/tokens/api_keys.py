"""API keys: tokens that a logout does not revoke. The storage holds their fingerprints only."""

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
from visado.security.tokens.issuing import choose_lifetime, make_token_text
from visado.security.tokens.signing import Signer, fingerprint
from visado.security.tokens.tokens import Tokens
from visado.settings.durations import FOREVER
from visado.storage.protocol import Collection, DocumentExists, Storage
from visado.storage.query import And, Equals, Page, Query

PREFIX: Final = "kapikey-"
COLLECTION: Final = "api-keys"


class ApiKeys:
    """The API keys of all users. Verified keys are cached with the verified tokens."""

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
        max_ttl: int,
    ) -> Fields:
        """Create a key, and return it with its text, which is not stored.

        `expires_in` and `max_ttl` in milliseconds, -1 for ever; without `id`, a UUID is generated. Raises
        `DocumentAlreadyExists`, `TtlExceeded`.
        """
        ttl = choose_lifetime(expires_in, FOREVER, max_ttl)
        now = self._clock()
        expires_at, text = make_token_text(self._signer, PREFIX, user_id, ttl, now)
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
        """Return the token of a key's text. Raises `InvalidToken`, `ExpiredToken`."""
        claims, removals = self._signer.read_claims(PREFIX, text), self._tokens.verified.removals
        page = await self._storage.search(COLLECTION, Query(Equals("fingerprint", fingerprint(text)), limit=1))
        if not page.hits or page.hits[0][1]["userId"] != claims["_id"]:
            raise errors.InvalidToken
        key_id, document = page.hits[0]
        if document["expiresAt"] != FOREVER and self._clock() >= document["expiresAt"]:
            raise errors.ExpiredToken
        token = Token(_token_id(key_id), document["userId"], document["expiresAt"], document["ttl"], kind="api-key")
        self._tokens.verified.add(text, token, document["expiresAt"], removals)
        return token

    async def search(self, user_id: str, query: Query) -> Page:
        """Return a page of a user's keys."""
        where = And((Equals("userId", user_id), query.where))
        return await self._storage.search(COLLECTION, replace(query, where=where))

    async def delete(self, user_id: str, key_id: str) -> None:
        """Delete a key. Raises `DocumentNotFound`, and `ApiKeyNotFound` for the key of another user."""
        document = await self._storage.get(COLLECTION, key_id)
        if document is None:
            raise errors.DocumentNotFound(id=key_id, index="kuzzle", collection=COLLECTION)
        if document["userId"] != user_id:
            raise errors.ApiKeyNotFound(id=key_id, user=user_id)
        await self._delete(user_id, key_id)

    async def delete_all(self, user_id: str) -> None:
        """Delete every key of a user."""
        for key_id, _ in (await self._storage.search(COLLECTION, Query(Equals("userId", user_id)))).hits:
            await self._delete(user_id, key_id)

    async def _delete(self, user_id: str, key_id: str) -> None:
        async with self._storage.transaction():
            await self._storage.delete(COLLECTION, key_id)
            self._tokens.forget_after_commit(_token_id(key_id))
            self._observers.note(events.ApiKeyChanged(change="deleted", target=key_id, user=user_id))


def format_api_key(id: str, document: Mapping[str, Any]) -> Fields:
    """Return a stored key in the form of search results: `{_id, _source}`, without its text."""
    return format_document(id, {name: value for name, value in document.items() if name != METADATA})


def _token_id(key_id: str) -> str:
    return f"api-key/{key_id}"
