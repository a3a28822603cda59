"""The latest code of each address, and how many were mailed to it."""

import contextlib
import hashlib
import hmac

from visado import Clock, Collection, DocumentExists, Query, Storage
from visado.storage import Document
from visado.storage.query import Range

from visado_magic.settings import TooManyMails

_HOUR = 3_600_000


class Codes:
    """A document of each address: a hash of the latest code and its reference, and the times of the last mails."""

    def __init__(self, storage: Storage, clock: Clock, limit: int) -> None:
        self._storage, self._clock, self._limit = storage, clock, limit
        storage.declare(Collection("magic"))

    async def note(self, address: str, reference: str, code: str) -> None:
        """Make this the latest code of the address. Raises `TooManyMails`."""
        now, latest = self._clock(), _digest(reference, code)

        def change(row: Document) -> Document:
            mails = [at for at in row["mails"] if at > now - _HOUR]
            if len(mails) >= self._limit:
                raise TooManyMails
            return {"mails": [*mails, now], "at": now, "latest": latest}

        with contextlib.suppress(DocumentExists):
            await self._storage.create("magic", address, {"mails": [], "at": now, "latest": ""})
        await self._storage.update("magic", address, change)

    async def match(self, address: str, reference: object, code: object) -> bool:
        """Return whether this is the latest code of the address, at its reference. A client may send any JSON."""
        row = await self._storage.get("magic", address)
        if row is None or not isinstance(reference, str) or not isinstance(code, str):
            return False
        return hmac.compare_digest(row["latest"], _digest(reference, code))

    async def forget(self) -> None:
        """Delete what no code and no limit needs any more."""
        old = Range("at", lt=self._clock() - _HOUR)
        for address, _ in (await self._storage.search("magic", Query(old))).hits:
            await self._storage.delete("magic", address)


def _digest(reference: str, code: str) -> str:
    return hashlib.sha256(f"{reference}:{code}".encode(errors="replace")).hexdigest()
