"""What login checks have asked for, and what is kept until somebody answers."""

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
"""How a reference begins: strategies may have a member of a challenge's name, too, such as OAuth's verifier."""
_PENDING: Final = 20
_PURGED_AT_ONCE: Final = 1_000


class Challenges:
    """Challenges that wait for an answer: each has a reference, which works once and not for long."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage, self._clock = storage, clock
        storage.declare(Collection(COLLECTION, ("userId",)))

    async def keep(self, user_id: str, lifetime: float, fields: Fields) -> tuple[str, int]:
        """Keep a challenge for so many seconds; return its reference, and when it ends in ms.

        Of a user's challenges, only the latest are kept.
        """
        reference, ends_at = f"{PREFIX}{secrets.token_urlsafe(32)}", self._clock() + int(lifetime * 1_000)
        async with self._storage.transaction():
            query = Query(Equals("userId", user_id), (Sort("endsAt", descending=True),), offset=_PENDING - 1)
            for old, _ in (await self._storage.search(COLLECTION, query)).hits:
                await self._storage.delete(COLLECTION, old)
            row = {**fields, "userId": user_id, "endsAt": ends_at}
            await self._storage.create(COLLECTION, fingerprint(reference), row)
        return reference, ends_at

    async def take(self, reference: Any, strategy: str) -> Mapping[str, Any]:
        """Use a reference up. Raises `LoginRefused` where it is unknown, used, too old, or of another strategy."""
        key = fingerprint(reference) if isinstance(reference, str) and reference.isascii() else ""
        row = await self._storage.get(COLLECTION, key)
        if (
            row is None
            or row["strategy"] != strategy
            or not await self._storage.delete(COLLECTION, key)  # of many who answer at once, one is heard
            or self._clock() >= row["endsAt"]
        ):
            raise errors.LoginRefused(reason="the challenge is unknown, used or too old: log in again")
        return row

    async def forget(self, user_id: str) -> None:
        """Let nobody answer a user's challenges any more."""
        for key, _ in (await self._storage.search(COLLECTION, Query(Equals("userId", user_id)))).hits:
            await self._storage.delete(COLLECTION, key)

    async def purge(self) -> None:
        """Forget those that nobody has answered in time."""
        late = Query(Range("endsAt", lte=self._clock()), limit=_PURGED_AT_ONCE)
        while hits := (await self._storage.search(COLLECTION, late)).hits:
            async with self._storage.transaction():
                for key, _ in hits:
                    await self._storage.delete(COLLECTION, key)
