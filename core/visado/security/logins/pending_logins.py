"""Logins that wait for a further step of the same client, under references that work once."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from visado import errors
from visado.host import Clock
from visado.request import REFERENCE_PREFIX, Fields
from visado.security.tokens.signing import fingerprint
from visado.storage.protocol import Collection, DocumentMissing, Storage
from visado.storage.query import Equals, Predicate, Query, Range, Sort

COLLECTION: Final = "challenges"
MAX_PENDING_PER_USER: Final = 20
MAX_PENDING_PER_BROWSER: Final = 5
MAX_PENDING: Final = 100_000
"""How many logins wait at once; further ones of strangers are refused, who may start as many as they like."""
PURGE_BATCH: Final = 1_000
_FULL_PURGE_MS: Final = 10_000
"""How often expired ones are deleted at once where no other may wait, in ms."""
_MAX_REFERENCE_CHARACTERS: Final = 128


def new_reference() -> str:
    """Return a new reference: a secret of 256 bits."""
    return f"{REFERENCE_PREFIX}{secrets.token_urlsafe(32)}"


class PendingLogins:
    """The pending logins in the storage, under the fingerprints of their references.

    A document holds `strategy`, `endsAt` in ms since 1970, `tries` that are left, `repeats` where there were several,
    and what the one who stored it needs: `check` and `userId` of a login check's challenge, `asked`, `browser`,
    `socket`, `owner` and `startedAt` of a strategy's step.
    """

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage, self._clock = storage, clock
        self._purged_at = 0
        storage.declare(Collection(COLLECTION, ("userId", "browser", "owner")))

    def now(self) -> int:
        """Return the time in ms since 1970."""
        return self._clock()

    async def create(self, reference: str, lifetime: float, fields: Fields) -> int:
        """Store a pending login for `lifetime` seconds; return when it ends, in ms since 1970.

        Only the latest ones of a user, and of a browser, are kept. Raises `Overloaded` where too many wait, but not for
        a user whom a strategy accepted: a flood of strangers prevents no second step of a user.
        """
        ends_at = self._clock() + int(lifetime * 1_000)
        if fields.get("userId") is None and await self._is_full() and not await self._makes_room():
            raise errors.Overloaded
        async with self._storage.transaction():
            if fields.get("userId") is not None:
                await self._drop_oldest(Equals("userId", fields["userId"]), MAX_PENDING_PER_USER)
            if fields.get("browser") is not None:
                await self._drop_oldest(Equals("browser", fields["browser"]), MAX_PENDING_PER_BROWSER)
            document = {**fields, "repeats": fields["tries"] > 1, "endsAt": ends_at}
            await self._storage.create(COLLECTION, fingerprint(reference), document)
        return ends_at

    async def _is_full(self) -> bool:
        return (await self._storage.search(COLLECTION, Query(limit=0))).total >= MAX_PENDING

    async def _makes_room(self) -> bool:
        """Delete expired pending logins, unless that was done just now; return whether there is room."""
        now = self._clock()
        if now - self._purged_at < _FULL_PURGE_MS:
            return False
        self._purged_at = now
        await self.purge()
        return not await self._is_full()

    async def _drop_oldest(self, where: Predicate, limit: int) -> None:
        newest_first = (Sort("endsAt", descending=True),)
        for pending_id, _ in (
            await self._storage.search(COLLECTION, Query(where, newest_first, offset=limit - 1))
        ).hits:
            await self._storage.delete(COLLECTION, pending_id)

    async def get(self, reference: str) -> Mapping[str, Any] | None:
        """Return the pending login of a reference; None for one that is unknown, used or too old."""
        if not reference.startswith(REFERENCE_PREFIX) or not reference.isascii():
            return None
        if len(reference) > _MAX_REFERENCE_CHARACTERS:
            return None
        pending = await self._storage.get(COLLECTION, fingerprint(reference))
        if pending is None or self._clock() >= pending["endsAt"] or pending["tries"] <= 0:
            return None
        return pending

    async def use(self, reference: str, pending: Mapping[str, Any]) -> bool:
        """Use up one try of a pending login; return False where none was left.

        Of concurrent answers to one reference, as many pass as it has tries. One with a single try is deleted; of
        another, `finish` lets one answer pass.
        """
        pending_id = fingerprint(reference)
        if not pending["repeats"]:
            return await self._storage.delete(COLLECTION, pending_id)

        def use_try(stored: Mapping[str, Any]) -> Fields:
            return {**stored, "tries": stored["tries"] - 1}

        try:
            left: int = (await self._storage.update(COLLECTION, pending_id, use_try))["tries"]
        except DocumentMissing:
            return False
        return left >= 0

    async def finish(self, reference: str) -> bool:
        """Delete a pending login that was answered; return False where another answer did so before."""
        return await self._storage.delete(COLLECTION, fingerprint(reference))

    async def delete_all(self, user_id: str) -> None:
        """Delete the pending logins of a user, and those that would link an identity to it."""
        for member in ("userId", "owner"):
            for pending_id, _ in (await self._storage.search(COLLECTION, Query(Equals(member, user_id)))).hits:
                await self._storage.delete(COLLECTION, pending_id)

    async def purge(self) -> None:
        """Delete expired pending logins, in batches."""
        expired = Query(Range("endsAt", lte=self._clock()), limit=PURGE_BATCH)
        while hits := (await self._storage.search(COLLECTION, expired)).hits:
            async with self._storage.transaction():
                for pending_id, _ in hits:
                    await self._storage.delete(COLLECTION, pending_id)
