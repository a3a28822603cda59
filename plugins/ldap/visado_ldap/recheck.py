"""The re-check: every linked entry is searched at an interval, and users whose entry is gone lose their tokens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from visado import AccountRules, Host, Identity, Query, errors
from visado_ldap.credentials import StoredEntry

FindPermitted: TypeAlias = Callable[[list[tuple[str, str]]], Awaitable[list[Identity]]]
"""Returns, for the `(subject, dn)` of some users, the identities that may still log in."""

_ENTRIES_PER_SEARCH: Final = 20
_PAUSE_PART: Final = 0.9
"""The part of the interval between two rounds; the rest is for the round, so that it ends within the interval."""
_RETRY_SECONDS: Final = 30.0
_log = logging.getLogger("visado.ldap")


class Recheck:
    """The rounds over the users of one directory. `interval` is in seconds; `rules` are the strategy's `accounts`."""

    def __init__(
        self, name: str, interval: float, rules: AccountRules, host: Host, find_permitted: FindPermitted
    ) -> None:
        self._name, self._interval, self._rules, self._find_permitted = name, interval, rules, find_permitted
        self._storage, self._identities = host.storage, host.identities
        self._credentials, self._tokens = host.credentials, host.tokens

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
        identities = await self._find_permitted([(subject, stored.get("dn", "")) for subject, stored in hits])
        by_subject = {identity.subject: identity for identity in identities}
        for subject, stored in hits:
            try:
                await self.apply(stored, by_subject.get(subject))
            except errors.VisadoError as error:  # the user was changed or deleted during the search
                _log.info("%s: the user %r could not be updated: %s", self._name, stored["userId"], error)

    async def apply(self, stored: StoredEntry, identity: Identity | None) -> bool:
        """Update a user to what its entry says now, and return whether the user may still log in with it.

        `identity` is None for an entry that is gone or disabled. Tokens of a user who may not log in are revoked.
        """
        try:
            if identity is not None:
                await self._identities.refresh(self._name, identity, self._rules)
                return True
        except errors.LoginRefused:  # the entry lacks what the settings require
            pass
        await self._revoke(stored)
        return False

    async def _revoke(self, stored: StoredEntry) -> None:
        """Revoke the tokens of a user who may not log in any more, once: there may be other ways to log in."""
        if stored.get("gone"):
            return
        user_id = stored["userId"]
        async with self._storage.transaction():
            await self._tokens.revoke_all(user_id, strategy=self._name)
            await self._credentials.merge(self._name, user_id, {"gone": True})
        _log.warning(
            "%s: %r is gone or refused: the tokens of the user %r are revoked", self._name, stored.get("dn"), user_id
        )
