"""Devices that are not asked again for a while: each holds a random token, of which a hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Final

from visado import Collection, Query, Storage
from visado.storage.query import Equals, Range

COLLECTION: Final = "totp-devices"
_LONGEST: Final = 100
_PURGED_AT_ONCE: Final = 100


class Devices:
    """The remembered devices. `lifetime` is in ms; 0: none is remembered.

    A device belongs to one enrolment: it counts while the enrolment has the generation with which it was remembered.
    """

    def __init__(self, storage: Storage, lifetime: int, clock: Callable[[], int]) -> None:
        self._storage, self.lifetime, self._clock = storage, lifetime, clock
        storage.declare(Collection(COLLECTION, ("userId",)))

    async def remember(self, user_id: str, generation: str) -> str:
        """Remember a device, and return its token."""
        await self._purge()
        token = secrets.token_urlsafe(32)
        row = {"userId": user_id, "generation": generation, "endsAt": self._clock() + self.lifetime}
        await self._storage.create(COLLECTION, _key(token), row)
        return token

    async def knows(self, user_id: str, generation: str, token: object) -> bool:
        """Whether a device is remembered, for this user and enrolment."""
        if not self.lifetime or not isinstance(token, str) or not 0 < len(token) <= _LONGEST or not token.isascii():
            return False
        row = await self._storage.get(COLLECTION, _key(token))
        if row is None or self._clock() >= row["endsAt"]:
            return False
        return (row["userId"], row["generation"]) == (user_id, generation)

    async def forget(self, user_id: str) -> None:
        """Forget every device of a user."""
        for key, _ in (await self._storage.search(COLLECTION, Query(Equals("userId", user_id)))).hits:
            await self._storage.delete(COLLECTION, key)

    async def _purge(self) -> None:
        ended = Query(Range("endsAt", lte=self._clock()), limit=_PURGED_AT_ONCE)
        for key, _ in (await self._storage.search(COLLECTION, ended)).hits:
            await self._storage.delete(COLLECTION, key)


def cookie(user_id: str, token: str, lifetime: int, *, secure: bool) -> str:
    """Write the cookie that a browser keeps; `lifetime` in ms."""
    attributes = "Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")
    return f"{_cookie_name(user_id, secure=secure)}={token}; {attributes}; Max-Age={lifetime // 1_000}"


def in_cookies(header: str | None, user_id: str, *, secure: bool) -> str | None:
    """Find the token of this user's device among the cookies of a browser, which several users may share."""
    parts = (part.strip().partition("=") for part in (header or "").split(";"))
    return {name: text for name, _, text in parts}.get(_cookie_name(user_id, secure=secure))


def _cookie_name(user_id: str, *, secure: bool) -> str:
    digest = hashlib.sha256(user_id.encode()).hexdigest()[:16]
    return f"{'__Host-' if secure else ''}visado-totp-{digest}"


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
