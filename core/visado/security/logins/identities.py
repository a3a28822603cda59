"""Which user an identity is: found by its subject, linked to a signed-in user, or made, in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from visado import errors
from visado.codec import is_list
from visado.request import Fields, User
from visado.security.users.credentials import Credentials
from visado.security.users.users import Users
from visado.settings.sections import AccountSettings, AccountsSection
from visado.storage.protocol import Storage
from visado.strategy import AccountRules, Identity

GRANTED: Final = "granted"
"""The member of a credentials' document with the profiles that the strategy granted."""
_PROFILE_WITHOUT_RIGHTS: Final = "anonymous"
_log = logging.getLogger("visado.identities")


class Identities:
    """The users of the identities that strategies and token verifiers know. Plugins receive this to refresh them."""

    def __init__(self, storage: Storage, users: Users, credentials: Credentials, settings: AccountsSection) -> None:
        self._storage, self._users, self._credentials, self._settings = storage, users, credentials, settings

    async def resolve(self, strategy: str, identity: Identity, rules: AccountRules, owner: str | None = None) -> User:
        """Return the user of an identity, after an update of what the strategy says of it.

        With `owner`, the identity is linked to this user first. Raises `LoginRefused` where the identity has no user
        and none may be made, or lacks what the rules require. Raises `SubjectTaken` and `UserLinked` where it cannot be
        linked.
        """
        rules = _merge(rules, self._settings.of(strategy))
        _check_requirements(strategy, identity, rules)
        stored = await self._credentials.get(strategy, identity.subject)
        if owner is not None:
            stored = await self._link(strategy, identity, stored, owner)
        elif stored is None:
            stored = await self._create(strategy, identity, rules)
        user = await self._find_user(strategy, identity, stored, rules)
        return await self._refresh(strategy, identity, user, stored, rules)

    async def check(self, strategy: str, identity: Identity, rules: AccountRules) -> None:
        """Raise `LoginRefused` unless the identity has a user or may get one."""
        rules = _merge(rules, self._settings.of(strategy))
        _check_requirements(strategy, identity, rules)
        stored = await self._credentials.get(strategy, identity.subject)
        if stored is not None:
            await self._find_user(strategy, identity, stored, rules)
        else:
            _check_auto_create(strategy, identity, rules)

    async def _find_user(
        self, strategy: str, identity: Identity, stored: Mapping[str, Any], rules: AccountRules
    ) -> User:
        user = await self._users.get(stored["userId"])
        if user is None or user.anonymous:
            _log.warning("%s: the user %r of %r does not exist: refused", strategy, stored["userId"], identity.subject)
            raise errors.LoginRefused(reason=rules.refusal)
        return user

    async def refresh(self, strategy: str, identity: Identity, rules: AccountRules) -> None:
        """Store what an identity that has a user says now: its profiles and what is kept. No user is made.

        Raises `NoCredentials` where the identity has no user, and `LoginRefused` where it lacks what the rules require.
        """
        rules = _merge(rules, self._settings.of(strategy))
        _check_requirements(strategy, identity, rules)
        stored = await self._credentials.get(strategy, identity.subject)
        user = await self._users.get(stored["userId"]) if stored is not None else None
        if stored is None or user is None:
            raise errors.NoCredentials(what="subject", name=identity.subject)
        await self._refresh(strategy, identity, user, stored, rules)

    async def _link(
        self, strategy: str, identity: Identity, stored: Mapping[str, Any] | None, owner: str
    ) -> Mapping[str, Any]:
        if stored is not None:
            if stored["userId"] != owner:
                raise errors.SubjectTaken(subject=identity.subject)
            return stored
        fields = _kept(identity)
        async with self._storage.transaction():
            await self._credentials.link(strategy, identity.subject, owner, fields)
            if await self._users.get(owner) is None:  # deleted meanwhile: nobody would own the identity
                raise errors.LoginRefused(reason="the user who started the link no longer exists")
        return {**fields, "userId": owner}

    async def _create(self, strategy: str, identity: Identity, rules: AccountRules) -> Mapping[str, Any]:
        """Make a user with the identity. Of concurrent first logins of one identity, all get the same user."""
        _check_auto_create(strategy, identity, rules)
        granted = [each for each in dict.fromkeys(identity.profiles or ()) if each not in rules.profiles]
        content = _content(identity.profile, rules.content)
        try:
            async with self._storage.transaction():
                user = await self._create_user(strategy, content, [*rules.profiles, *granted])
                kept = [each for each in granted if each in user.profile_ids]
                fields = {**_kept(identity), **({GRANTED: kept} if identity.profiles is not None else {})}
                await self._credentials.link(strategy, identity.subject, user.id, fields)
        except errors.SubjectTaken:
            stored = await self._credentials.get(strategy, identity.subject)
            if stored is None:
                raise
            return stored
        _log.info("%s: the user %r is created for %r", strategy, user.id, identity.subject)
        return {**fields, "userId": user.id}

    async def _create_user(self, strategy: str, content: Fields, profiles: list[str]) -> User:
        while True:
            try:
                return await self._users.create({**content, "profileIds": profiles})
            except errors.ProfileNotFound as error:
                profiles = _without_missing(strategy, profiles, error)

    async def _refresh(
        self, strategy: str, identity: Identity, user: User, stored: Mapping[str, Any], rules: AccountRules
    ) -> User:
        """Write what changed; most logins bring nothing new, and write nothing."""
        changes: Fields = {name: value for name, value in _kept(identity).items() if stored.get(name) != value}
        before: list[str] = list(stored.get(GRANTED) or ())
        granted, profiles = before, list(user.profile_ids)
        if identity.profiles is not None:
            own = [each for each in profiles if each not in before]
            granted = [each for each in dict.fromkeys(identity.profiles) if each not in own]
            profiles = [*own, *granted] or list(rules.profiles)
        if not changes and granted == before and profiles == list(user.profile_ids):
            return user
        async with self._storage.transaction():
            user = await self._set_profiles(strategy, user, profiles)
            granted = [each for each in granted if each in user.profile_ids]
            if granted != before:
                changes[GRANTED] = granted
            if changes:
                await self._credentials.merge(strategy, user.id, changes)
        return user

    async def _set_profiles(self, strategy: str, user: User, profiles: list[str]) -> User:
        while profiles != list(user.profile_ids):
            try:
                user = await self._users.merge(user.id, {"profileIds": profiles})
            except errors.ProfileNotFound as error:
                profiles = _without_missing(strategy, profiles, error)
            else:
                _log.info("%s: the user %r now has the profiles %s", strategy, user.id, profiles)
        return user


def _merge(rules: AccountRules, settings: AccountSettings | None) -> AccountRules:
    """Return the rules of a strategy, with those of the settings in their place."""
    if settings is None:
        return rules
    profiles, content, require = settings.profiles, settings.content, settings.require
    return AccountRules(
        auto_create=rules.auto_create if settings.auto_create is None else settings.auto_create,
        profiles=rules.profiles if profiles is None else tuple(profiles),
        content=rules.content if content is None else content,
        require=rules.require if require is None else {name: tuple(values) for name, values in require.items()},
        refusal=rules.refusal,
    )


def _check_requirements(strategy: str, identity: Identity, rules: AccountRules) -> None:
    """Raise `LoginRefused` unless the profile has one of the required values of each member."""
    for name, allowed in rules.require.items():
        value = identity.profile.get(name)
        values: list[Any] = value if is_list(value) else [value]
        if not any(_is_same(each, wanted) for each in values for wanted in allowed):
            _log.warning(
                "%s: the member %r of the profile of %r has no value that is required: refused",
                strategy,
                name,
                identity.subject,
            )
            raise errors.LoginRefused(reason=rules.refusal)


def _check_auto_create(strategy: str, identity: Identity, rules: AccountRules) -> None:
    """Raise `LoginRefused` unless an identity without a user gets one."""
    if not rules.auto_create:
        _log.warning("%s: %r has no user, and auto_create is off: refused", strategy, identity.subject)
        raise errors.LoginRefused(reason=rules.refusal)


def _is_same(value: object, wanted: object) -> bool:
    return type(value) is type(wanted) and value == wanted


def _content(profile: Mapping[str, Any], mapping: Mapping[str, str] | None) -> Fields:
    """Return the content of a new user, without what is the host's own: profiles and members that begin with `_`."""
    names = {name: name for name in profile} if mapping is None else mapping
    content = {name: profile[source] for name, source in names.items() if source in profile}
    return {name: value for name, value in content.items() if name != "profileIds" and not name.startswith("_")}


def _kept(identity: Identity) -> Fields:
    """Return what a strategy stores with an identity, without the members that are the host's own."""
    return {name: value for name, value in identity.kept.items() if name not in ("userId", GRANTED)}


def _without_missing(strategy: str, profiles: list[str], error: errors.ProfileNotFound) -> list[str]:
    """Return the profiles without the one that does not exist; the anonymous one where no other is left."""
    missing = error.values.get("profile")
    _log.warning("%s: the profile %r does not exist: ignored", strategy, missing)
    return [each for each in profiles if each != missing] or [_PROFILE_WITHOUT_RIGHTS]
