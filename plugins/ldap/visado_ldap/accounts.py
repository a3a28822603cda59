"""Which user of visado a person of a directory is: linked by the stable id, or created at the first login."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeAlias

from visado import Fields, Host, User, errors
from visado_ldap.lookup.groups import GroupLookup
from visado_ldap.lookup.persons import Person
from visado_ldap.settings import DirectorySettings

StoredEntry: TypeAlias = Mapping[str, Any]
"""`{userId, username, dn, granted, gone, bindDN, searchBase, searchFilter}` under the stable id.

`granted` are the profiles that groups grant. `gone` means that the entry was missing and its tokens are revoked.
"""

_PROFILE_WITHOUT_RIGHTS = "anonymous"
_log = logging.getLogger("visado.ldap")


class DirectoryAccounts:
    """The users of one directory."""

    def __init__(self, name: str, settings: DirectorySettings, host: Host, groups: GroupLookup) -> None:
        self._name, self._settings, self._groups = name, settings, groups
        self._storage, self._users = host.storage, host.users
        self._credentials, self._tokens = host.credentials, host.tokens

    async def find_user(self, person: Person) -> str | None:
        """Return the id of the user that a person is, after an update of its profiles; None without a user.

        With `auto_create`, a person without a user gets one.
        """
        stored = await self._credentials.get(self._name, person.subject)
        if stored is None:
            if not self._settings.auto_create:
                _log.warning("%s: %r has no user, and auto_create is off: refused", self._name, person.dn)
                return None
            stored = await self._create(person)
        user = await self._users.get(stored["userId"])
        if user is None:
            _log.warning("%s: the user %r of %r does not exist: refused", self._name, stored["userId"], person.dn)
            return None
        await self.update(user, stored, person)
        return user.id

    async def _create(self, person: Person) -> StoredEntry:
        granted = self._granted(person, self._settings.default_profiles)
        fields = entry_fields(person) | {"granted": granted}
        profiles = [*self._settings.default_profiles, *granted]
        try:
            async with self._storage.transaction():
                user = await self._create_user(person, profiles)
                fields["granted"] = [each for each in granted if each in user.profile_ids]
                await self._credentials.link(self._name, person.subject, user.id, fields)
        except errors.SubjectTaken:  # a concurrent login of the same person
            stored = await self._credentials.get(self._name, person.subject)
            if stored is None:
                raise
            return stored
        _log.info("%s: the user %r is created for %r", self._name, user.id, person.dn)
        return {**fields, "userId": user.id}

    async def _create_user(self, person: Person, profiles: list[str]) -> User:
        while True:
            try:
                return await self._users.create({**person.attributes, "profileIds": profiles})
            except errors.ProfileNotFound as error:
                profiles = self._without_missing(profiles, error)

    async def update(self, user: User, stored: StoredEntry, person: Person) -> None:
        """Update a user's profiles and stored entry to what the directory says now."""
        changes: Fields = {name: value for name, value in entry_fields(person).items() if stored.get(name) != value}
        if stored.get("gone"):
            changes["gone"] = False
        before: list[str] = list(stored.get("granted") or ())
        if not before and not person.groups:
            if changes:
                await self._credentials.merge(self._name, user.id, changes)
            return
        own = [each for each in user.profile_ids if each not in before]
        granted = self._granted(person, own)
        async with self._storage.transaction():
            profiles = await self._set_profiles(user, [*own, *granted] or self._settings.default_profiles)
            granted = [each for each in granted if each in profiles]
            if granted != before:
                changes["granted"] = granted
            if changes:
                await self._credentials.merge(self._name, user.id, changes)

    def _granted(self, person: Person, own: list[str]) -> list[str]:
        """Return the profiles that a person has through its groups alone."""
        return [each for each in self._groups.profiles(person.groups) if each not in own]

    async def _set_profiles(self, user: User, profiles: list[str]) -> list[str]:
        while profiles != list(user.profile_ids):
            try:
                await self._users.merge(user.id, {"profileIds": profiles})
            except errors.ProfileNotFound as error:
                profiles = self._without_missing(profiles, error)
            else:
                _log.info("%s: the user %r now has the profiles %s", self._name, user.id, profiles)
                break
        return profiles

    def _without_missing(self, profiles: list[str], error: errors.ProfileNotFound) -> list[str]:
        """Return the profiles without the one that does not exist; the anonymous one where no other is left."""
        missing = error.values.get("profile")
        _log.warning("%s: the profile %r does not exist: ignored", self._name, missing)
        return [each for each in profiles if each != missing] or [_PROFILE_WITHOUT_RIGHTS]

    async def revoke(self, user_id: str, stored: StoredEntry) -> None:
        """Revoke the tokens of a user whose entry is gone, once: the user may log in in other ways."""
        if stored.get("gone"):
            return
        async with self._storage.transaction():
            await self._tokens.revoke_all(user_id, strategy=self._name)
            await self._credentials.merge(self._name, user_id, {"gone": True})
        _log.warning(
            "%s: %r is gone or disabled: the tokens of the user %r are revoked", self._name, stored.get("dn"), user_id
        )


def entry_fields(person: Person) -> Fields:
    """Return the stored fields that follow from a person's entry."""
    return {"username": person.username, "dn": person.dn}
