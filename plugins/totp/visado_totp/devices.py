"""Remembered devices: a device that sends its token is not asked for a code. The storage holds a hash of the token."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Final

from visado import Collection, Host, Query
from visado.storage.query import Equals, Range

COLLECTION: Final = "totp-devices"
MAX_TOKEN_LENGTH: Final = 100
"""Characters of a device's token. A longer text is not hashed."""
PURGED_PER_WRITE: Final = 100
"""Expired devices that are deleted when another device is remembered."""


class Devices:
    """The remembered devices of all users. `lifetime` is in ms; with 0 no device is remembered.

    A device belongs to one generation of an enrolment: a new generation makes the host forget all devices of the user.
    """

    def __init__(self, host: Host, lifetime: int) -> None:
        self._storage, self._clock, self.lifetime = host.storage, host.clock, lifetime
        host.storage.declare(Collection(COLLECTION, ("userId",)))

    async def remember(self, user_id: str, generation: str) -> str:
        """Remember a device of a user, and return its token."""
        await self._purge()
        token = secrets.token_urlsafe(32)
        device = {"userId": user_id, "generation": generation, "endsAt": self._clock() + self.lifetime}
        await self._storage.create(COLLECTION, _id(token), device)
        return token

    async def is_remembered(self, user_id: str, generation: str, token: object) -> bool:
        """Return whether this is the token of a device of this user, for this generation, and has not expired.

        `token` is any JSON value that a client sent.
        """
        if not self.lifetime or not isinstance(token, str):
            return False
        if not 0 < len(token) <= MAX_TOKEN_LENGTH or not token.isascii():
            return False
        device = await self._storage.get(COLLECTION, _id(token))
        if device is None or self._clock() >= device["endsAt"]:
            return False
        return (device["userId"], device["generation"]) == (user_id, generation)

    async def forget(self, user_id: str) -> None:
        """Delete every device of a user."""
        for id_, _ in (await self._storage.search(COLLECTION, Query(Equals("userId", user_id)))).hits:
            await self._storage.delete(COLLECTION, id_)

    async def _purge(self) -> None:
        expired = Query(Range("endsAt", lte=self._clock()), limit=PURGED_PER_WRITE)
        for id_, _ in (await self._storage.search(COLLECTION, expired)).hits:
            await self._storage.delete(COLLECTION, id_)


def set_cookie(user_id: str, token: str, lifetime: int, *, secure: bool) -> str:
    """Return the `Set-Cookie` value with a device's token; `lifetime` is in ms."""
    attributes = "Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")
    return f"{_cookie_name(user_id, secure=secure)}={token}; {attributes}; Max-Age={lifetime // 1_000}"


def cookie_token(cookies: Mapping[str, str], user_id: str, *, secure: bool) -> str | None:
    """Return the token of this user's device among cookies, or None: several users may share a browser."""
    return cookies.get(_cookie_name(user_id, secure=secure))


def _cookie_name(user_id: str, *, secure: bool) -> str:
    digest = hashlib.sha256(user_id.encode()).hexdigest()[:16]
    return f"{'__Host-' if secure else ''}visado-totp-{digest}"


def _id(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
