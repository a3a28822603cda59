"""Who is still there: every user's entry is looked up again and again, and who is gone loses its tokens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from visado import Host, Query, errors
from visado_ldap.accounts import Accounts, Row
from visado_ldap.lookup import Person

Present: TypeAlias = Callable[[list[tuple[str, str]]], Awaitable[list[Person]]]
"""From `(subject, dn)` of some users to those persons that may still log in."""

_AT_ONCE: Final = 20
_EARLY: Final = 0.9
"""The part of the interval after which a round begins, so that its end is within the interval."""
_RETRY: Final = 30.0
_log = logging.getLogger("visado.ldap")


class Recheck:
    """The rounds over the users of one directory."""

    def __init__(self, name: str, interval: float, host: Host, accounts: Accounts, present: Present) -> None:
        self._name, self._interval = name, interval
        self._users, self._credentials = host.users, host.credentials
        self._accounts, self._present = accounts, present

    async def run(self) -> None:
        """Go round for ever. A directory that is away changes nothing: it is asked again, and sooner."""
        pause = self._interval * _EARLY
        while True:
            await asyncio.sleep(pause)
            pause = self._interval * _EARLY
            try:
                await self.round()
            except errors.Unavailable:
                pause = min(pause, _RETRY)
            except Exception:
                _log.exception("%s: the re-check of entries failed", self._name)

    async def round(self) -> None:
        """Look everybody up once. Raises `DirectoryUnreachable`, `DirectoryRefused`."""
        rows = (await self._credentials.search(self._name, Query())).hits
        for start in range(0, len(rows), _AT_ONCE):
            await self._some(rows[start : start + _AT_ONCE])

    async def _some(self, rows: list[tuple[str, Row]]) -> None:
        persons = await self._present([(subject, row.get("dn", "")) for subject, row in rows])
        there = {person.subject: person for person in persons}
        for subject, row in rows:
            try:
                await self._one(row, there.get(subject))
            except errors.VisadoError as error:  # changed or deleted meanwhile
                _log.info("%s: %r could not be brought up to date: %s", self._name, row["userId"], error)

    async def _one(self, row: Row, person: Person | None) -> None:
        if person is None:
            await self._accounts.gone(row["userId"], row)
            return
        user = await self._users.get(row["userId"])
        if user is not None:
            await self._accounts.note(user, row, person)
