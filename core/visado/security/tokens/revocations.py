"""Revocations: when all tokens of a user were revoked. A login that began before then gets no token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from visado import errors
from visado.host import Clock
from visado.request import Fields
from visado.storage.protocol import Collection, DocumentExists, Storage
from visado.storage.query import Query, Range

COLLECTION: Final = "revocations"
KEPT_MS: Final = 86_400_000
"""How long the time of a revocation is kept, in ms: longer than a login may take."""


class Revocations:
    """The time of each user's last revocation, for logins whose steps are stored meanwhile, also over a restart."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage, self._clock = storage, clock
        storage.declare(Collection(COLLECTION))

    async def note(self, user_id: str) -> None:
        """Store that all tokens of a user are revoked now."""
        now = self._clock()

        def change(_: Mapping[str, Any]) -> Fields:
            return {"at": now}

        if await self._storage.get(COLLECTION, user_id) is None:
            try:
                await self._storage.create(COLLECTION, user_id, {"at": now})
            except DocumentExists:
                pass
            else:
                return
        await self._storage.update(COLLECTION, user_id, change)

    async def check(self, user_id: str, since: int) -> None:
        """Raise `LoginRefused` where all tokens of a user were revoked after `since`, in ms since 1970."""
        if since >= self._clock():
            return
        revocation = await self._storage.get(COLLECTION, user_id)
        if revocation is not None and revocation["at"] > since:
            raise errors.LoginRefused(reason="revoked meanwhile: log in again")

    async def purge(self) -> None:
        """Delete the times that no login needs any more."""
        old = Query(Range("at", lte=self._clock() - KEPT_MS))
        for user_id, _ in (await self._storage.search(COLLECTION, old)).hits:
            await self._storage.delete(COLLECTION, user_id)
