"""Who a person of a directory is in visado: the user that owns its stable id, made at the first login if so wished."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeAlias

from visado import Fields, Host, User, errors
from visado_ldap.groups import Groups
from visado_ldap.lookup import Person
from visado_ldap.settings import Directory

Row: TypeAlias = Mapping[str, Any]
"""`{userId, username, dn, granted, gone, bindDN, searchBase, searchFilter}` under the stable id.

`granted` are the profiles that groups gave, `gone` says that the entry was missed and its tokens were taken.
"""

_log = logging.getLogger("visado.ldap")


class Accounts:
    """The users of one directory."""

    def __init__(self, name: str, section: Directory, host: Host, groups: Groups) -> None:
        self._name, self._section, self._groups = name, section, groups
        self._storage, self._users = host.storage, host.users
        self._credentials, self._tokens = host.credentials, host.tokens

    async def owner(self, person: Person) -> str | None:
        """The user that a person is, with the profiles of its groups; None where it is nobody here."""
        row = await self._credentials.get(self._name, person.subject)
        if row is None:
            if not self._section.auto_create:
                _log.warning("%s: %r belongs to no user, and auto_create is off: refused", self._name, person.dn)
                return None
            row = await self._create(person)
        user = await self._users.get(row["userId"])
        if user is None:
            _log.warning("%s: the user %r of %r does not exist: refused", self._name, row["userId"], person.dn)
            return None
        await self.note(user, row, person)
        return user.id

    async def _create(self, person: Person) -> Row:
        granted = self._granted(person, self._section.default_profiles)
        fields = seen(person) | {"granted": granted}
        profiles = [*self._section.default_profiles, *granted]
        try:
            async with self._storage.transaction():
                user = await self._make_user(person, profiles)
                fields["granted"] = [each for each in granted if each in user.profile_ids]
                await self._credentials.link(self._name, person.subject, user.id, fields)
        except errors.SubjectTaken:  # by another login of the same person, just now
            row = await self._credentials.get(self._name, person.subject)
            if row is None:
                raise
            return row
        _log.info("%s: the user %r is made for %r", self._name, user.id, person.dn)
        return {**fields, "userId": user.id}

    async def _make_user(self, person: Person, profiles: list[str]) -> User:
        while True:
            try:
                return await self._users.create({**person.attributes, "profileIds": profiles})
            except errors.ProfileNotFound as error:
                profiles = self._without(profiles, error)

    async def note(self, user: User, row: Row, person: Person) -> None:
        """Bring a user up to date with what the directory says of it now."""
        changes: Fields = {name: value for name, value in seen(person).items() if row.get(name) != value}
        if row.get("gone"):
            changes["gone"] = False
        before: list[str] = list(row.get("granted") or ())
        if not before and not person.groups:
            if changes:
                await self._credentials.update(self._name, user.id, changes)
            return
        own = [each for each in user.profile_ids if each not in before]
        granted = self._granted(person, own)
        async with self._storage.transaction():
            profiles = await self._set_profiles(user, [*own, *granted] or self._section.default_profiles)
            granted = [each for each in granted if each in profiles]
            if granted != before:
                changes["granted"] = granted
            if changes:
                await self._credentials.update(self._name, user.id, changes)

    def _granted(self, person: Person, own: list[str]) -> list[str]:
        """The profiles that a person has by its groups alone."""
        return [each for each in self._groups.profiles(person.groups) if each not in own]

    async def _set_profiles(self, user: User, profiles: list[str]) -> list[str]:
        while profiles != list(user.profile_ids):
            try:
                await self._users.update(user.id, {"profileIds": profiles})
            except errors.ProfileNotFound as error:
                profiles = self._without(profiles, error)
            else:
                _log.info("%s: the user %r has the profiles %s now", self._name, user.id, profiles)
                break
        return profiles

    def _without(self, profiles: list[str], error: errors.ProfileNotFound) -> list[str]:
        """Leave out a profile that does not exist; whoever has no other is as anybody."""
        missing = error.values.get("profile")
        _log.warning("%s: the profile %r does not exist: left out", self._name, missing)
        return [each for each in profiles if each != missing] or ["anonymous"]

    async def gone(self, user_id: str, row: Row) -> None:
        """Take the tokens of a user whose entry is gone, once: it may have other ways to log in."""
        if row.get("gone"):
            return
        async with self._storage.transaction():
            await self._tokens.revoke_all(user_id, strategy=self._name)
            await self._credentials.update(self._name, user_id, {"gone": True})
        _log.warning("%s: %r is gone or disabled: the user %r loses its tokens", self._name, row.get("dn"), user_id)


def seen(person: Person) -> Fields:
    """What a row says of a person's entry."""
    return {"username": person.username, "dn": person.dn}
