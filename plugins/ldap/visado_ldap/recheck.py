"""The re-check: every linked entry is searched at an interval, and users whose entry is gone lose their tokens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from visado import Host, Query, errors
from visado_ldap.accounts import DirectoryAccounts, StoredEntry
from visado_ldap.lookup.persons import Person

FindPermitted: TypeAlias = Callable[[list[tuple[str, str]]], Awaitable[list[Person]]]
"""Returns, for the `(subject, dn)` of some users, the persons that may still log in."""

_ENTRIES_PER_SEARCH: Final = 20
_PAUSE_PART: Final = 0.9
"""The part of the interval between two rounds; the rest is for the round, so that it ends within the interval."""
_RETRY_SECONDS: Final = 30.0
_log = logging.getLogger("visado.ldap")


class Recheck:
    """The rounds over the users of one directory. `interval` is in seconds."""

    def __init__(
        self, name: str, interval: float, host: Host, accounts: DirectoryAccounts, find_permitted: FindPermitted
    ) -> None:
        self._name, self._interval = name, interval
        self._users, self._credentials = host.users, host.credentials
        self._accounts, self._find_permitted = accounts, find_permitted

    async def run(self) -> None:
        """Run rounds until cancelled. A directory that cannot be reached changes nothing, and is asked again sooner."""
        pause = self._interval * _PAUSE_PART
        while True:
            await asyncio.sleep(pause)
            pause = self._interval * _PAUSE_PART
            try:
                await self.round()
            except errors.Unavailable:
                pause = min(pause, _RETRY_SECONDS)
            except Exception:
                _log.exception("%s: the re-check of entries failed", self._name)

    async def round(self) -> None:
        """Check every linked entry once. Raises `DirectoryUnreachable`, `DirectoryRefused`."""
        hits = (await self._credentials.search(self._name, Query())).hits
        for start in range(0, len(hits), _ENTRIES_PER_SEARCH):
            await self._check_some(hits[start : start + _ENTRIES_PER_SEARCH])

    async def _check_some(self, hits: list[tuple[str, StoredEntry]]) -> None:
        persons = await self._find_permitted([(subject, stored.get("dn", "")) for subject, stored in hits])
        by_subject = {person.subject: person for person in persons}
        for subject, stored in hits:
            try:
                await self._update(stored, by_subject.get(subject))
            except errors.VisadoError as error:  # the user was changed or deleted during the search
                _log.info("%s: the user %r could not be updated: %s", self._name, stored["userId"], error)

    async def _update(self, stored: StoredEntry, person: Person | None) -> None:
        if person is None:
            await self._accounts.revoke(stored["userId"], stored)
            return
        user = await self._users.get(stored["userId"])
        if user is not None:
            await self._accounts.update(user, stored, person)
