"""Challenges of login checks that wait for the client's answer."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from visado import errors
from visado.host import Clock
from visado.request import Fields
from visado.security.tokens.signing import fingerprint
from visado.storage.protocol import Collection, Storage
from visado.storage.query import Equals, Query, Range, Sort

COLLECTION: Final = "challenges"
PREFIX: Final = "klogin-"
"""The prefix of a reference: a strategy may read a member `challenge` of its own, such as OAuth's verifier."""
MAX_PENDING_PER_USER: Final = 20
PURGE_BATCH: Final = 1_000


class Challenges:
    """The challenges in the storage, under the fingerprints of their references. A reference works once."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage, self._clock = storage, clock
        storage.declare(Collection(COLLECTION, ("userId",)))

    async def create(self, user_id: str, lifetime: float, fields: Fields) -> tuple[str, int]:
        """Store a challenge for `lifetime` seconds; return its reference, and when it ends in ms since 1970.

        Only the latest `MAX_PENDING_PER_USER` challenges of a user are kept.
        """
        reference, ends_at = f"{PREFIX}{secrets.token_urlsafe(32)}", self._clock() + int(lifetime * 1_000)
        async with self._storage.transaction():
            newest_first = (Sort("endsAt", descending=True),)
            query = Query(Equals("userId", user_id), newest_first, offset=MAX_PENDING_PER_USER - 1)
            for challenge_id, _ in (await self._storage.search(COLLECTION, query)).hits:
                await self._storage.delete(COLLECTION, challenge_id)
            document = {**fields, "userId": user_id, "endsAt": ends_at}
            await self._storage.create(COLLECTION, fingerprint(reference), document)
        return reference, ends_at

    async def take(self, reference: Any, strategy: str) -> Mapping[str, Any]:
        """Delete a challenge and return it. Raises `LoginRefused` for an unknown, used, or expired reference.

        A reference of another strategy is unknown.
        """
        challenge_id = fingerprint(reference) if isinstance(reference, str) and reference.isascii() else ""
        challenge = await self._storage.get(COLLECTION, challenge_id)
        if (
            challenge is None
            or challenge["strategy"] != strategy
            or not await self._storage.delete(COLLECTION, challenge_id)  # one of several concurrent answers deletes it
            or self._clock() >= challenge["endsAt"]
        ):
            raise errors.LoginRefused(reason="the challenge is unknown, used or too old: log in again")
        return challenge

    async def delete_all(self, user_id: str) -> None:
        """Delete the challenges of a user."""
        for challenge_id, _ in (await self._storage.search(COLLECTION, Query(Equals("userId", user_id)))).hits:
            await self._storage.delete(COLLECTION, challenge_id)

    async def purge(self) -> None:
        """Delete expired challenges, in batches."""
        expired = Query(Range("endsAt", lte=self._clock()), limit=PURGE_BATCH)
        while hits := (await self._storage.search(COLLECTION, expired)).hits:
            async with self._storage.transaction():
                for challenge_id, _ in hits:
                    await self._storage.delete(COLLECTION, challenge_id)
