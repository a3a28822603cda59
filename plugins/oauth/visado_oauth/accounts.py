"""Which user an identity belongs to. Its key is issuer and subject; an e-mail address never links two."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias
from weakref import WeakValueDictionary

from visado import Fields, Host, Query, Sealer, errors
from visado.storage.query import And, Equals
from visado_oauth.errors import NoIdentity, UnknownIdentity
from visado_oauth.login.identities import ProviderIdentity
from visado_oauth.openid.claims import read_groups, select_attributes
from visado_oauth.providers.provider import Grant
from visado_oauth.settings import ProviderSettings

StoredIdentity: TypeAlias = Mapping[str, Any]
"""`{userId, issuer, subject, sub, attributes, sessions, refreshToken}`; the refresh token is sealed."""

_REFRESH_TOKEN: Final = "refresh token"  # noqa: S105 - a label
_MAX_SESSIONS: Final = 20


class ProviderAccounts:
    """The users of one provider."""

    def __init__(
        self, name: str, settings: ProviderSettings, host: Host, read_secret: Callable[[], str], *, strict: bool
    ) -> None:
        self._name, self._settings = name, settings
        self._sealer = Sealer(read_secret, f"visado-oauth {_REFRESH_TOKEN}")
        self._users, self._credentials, self._storage = host.users, host.credentials, host.storage
        self._tokens, self._strict = host.tokens, strict
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def find_user(self, identity: ProviderIdentity, grant: Grant) -> str | None:
        """Return the id of the identity's user, and update the user's profiles; None without a user.

        With `auto_create`, an identity without a user gets one.
        """
        # Without the lock, two first logins at once would create two users for one identity.
        async with self._locks.setdefault(_key(identity.issuer, identity.subject), asyncio.Lock()):
            stored = await self.get(identity.issuer, identity.subject)
            if stored is None and not self._settings.auto_create:
                return None
            if stored is None:
                user_id = await self._create(identity, grant)
            else:
                user_id = str(stored["userId"])
                if await self._users.get(user_id) is None:
                    return None
                await self._update_session(user_id, identity, grant, stored)
        await self._set_profiles(user_id, identity)
        return user_id

    async def _create(self, identity: ProviderIdentity, grant: Grant) -> str:
        async with self._storage.transaction():
            user = await self._users.create({"profileIds": self._profiles(identity, ())})
            await self._link_proved(identity, grant, user.id)
        return user.id

    async def link(self, identity: ProviderIdentity, grant: Grant, user_id: str) -> None:
        """Link a proved identity to a user. Raises `errors.SubjectTaken` or `errors.UserLinked`."""
        stored = await self.get(identity.issuer, identity.subject)
        if stored is not None and stored["userId"] == user_id:
            await self._update_session(user_id, identity, grant, stored)
            return
        await self._link_proved(identity, grant, user_id)

    async def _link_proved(self, identity: ProviderIdentity, grant: Grant, user_id: str) -> None:
        attributes = select_attributes(identity.claims, self._settings.persist, self._settings.attributes)
        fields = {**self._session_fields(identity, grant, {}), "sub": identity.sub}
        await self.link_named(user_id, identity.issuer, identity.subject, attributes, fields)

    async def link_named(
        self, user_id: str, issuer: str, subject: str, attributes: Fields, fields: Fields | None = None
    ) -> None:
        """Link an identity by issuer and subject to a user. Raises `errors.SubjectTaken` or `errors.UserLinked`."""
        stored = {"issuer": issuer, "subject": subject, "attributes": attributes, **(fields or {})}
        try:
            await self._credentials.link(self._name, _key(issuer, subject), user_id, stored)
        except errors.SubjectTaken:
            raise errors.SubjectTaken(subject=subject) from None

    async def replace(self, identity: ProviderIdentity, grant: Grant, user_id: str) -> None:
        """Replace the identity of a user by a proved one. Raises `errors.SubjectTaken`."""
        attributes = select_attributes(identity.claims, self._settings.persist, self._settings.attributes)
        async with self._storage.transaction():
            await self.replace_named(user_id, identity.issuer, identity.subject, attributes)
            fields = {**self._session_fields(identity, grant, {}), "sub": identity.sub}
            await self._credentials.merge(self._name, user_id, fields)

    async def replace_named(self, user_id: str, issuer: str, subject: str, attributes: Fields) -> None:
        """Replace the identity of a user, or its attributes. Raises `errors.SubjectTaken`."""
        fields: Fields = {"issuer": issuer, "subject": subject, "attributes": attributes}
        stored = await self.get(issuer, subject)
        if stored is None or stored["userId"] != user_id:  # another identity: the data of the former is deleted
            fields |= {"sub": subject, "sessions": [], "refreshToken": None}
        try:
            async with self._storage.transaction():
                await self._credentials.merge(self._name, user_id, fields, subject=_key(issuer, subject))
                await self._revoke_other_tokens(user_id)
        except errors.SubjectTaken:
            raise errors.SubjectTaken(subject=subject) from None

    async def unlink(self, user_id: str) -> None:
        """Remove the identity from a user."""
        async with self._storage.transaction():
            await self._credentials.unlink(self._name, user_id)
            await self._revoke_other_tokens(user_id)

    async def _revoke_other_tokens(self, user_id: str) -> None:
        """Under the strict preset, revoke every token of the user but the one of the current request."""
        if self._strict:
            await self._tokens.revoke_others(user_id)

    async def is_last(self, user_id: str) -> bool:
        """Return whether a user has no credentials in any other strategy."""
        user = await self._users.get(user_id)
        return user is None or not set(await self._users.strategies(user)) - {self._name}

    async def user_exists(self, user_id: str) -> bool:
        """Return whether a user exists."""
        return await self._users.get(user_id) is not None

    async def get(self, issuer: str, subject: str) -> StoredIdentity | None:
        """Return a stored identity, or None."""
        return await self._credentials.get(self._name, _key(issuer, subject))

    async def get_of_user(self, user_id: str) -> StoredIdentity | None:
        """Return the stored identity of a user, or None."""
        stored = await self._credentials.get_of_user(self._name, user_id)
        return None if stored is None else stored[1]

    async def find_of_user(self, user_id: str) -> StoredIdentity:
        """Return the stored identity of a user. Raises `NoIdentity`."""
        stored = await self.get_of_user(user_id)
        if stored is None:
            raise NoIdentity(user=user_id)
        return stored

    async def find_by_subject(self, issuer: str, subject: str) -> StoredIdentity:
        """Return the stored identity of a subject. Raises `UnknownIdentity`.

        The subject may be an issuer and a subject with a space between them.
        """
        if " " in subject and "://" in subject.partition(" ")[0]:
            issuer, _, subject = subject.partition(" ")
        stored = await self.get(issuer, subject)
        if stored is None:
            raise UnknownIdentity(user=subject)
        return stored

    def public_fields(self, stored: StoredIdentity) -> Fields:
        """Return the members of a stored identity that clients may see."""
        return {**stored["attributes"], self._settings.identifier: stored["subject"], "iss": stored["issuer"]}

    async def revoke(self, issuer: str, sub: str | None, session: str | None) -> None:
        """Revoke the tokens of a provider's user or session, and notify open sockets."""
        for user_id in await self._users_of_session(issuer, sub, session):
            await self.store_refresh_token(user_id, None)
            await self._tokens.revoke_all(user_id, notify=True, strategy=self._name)

    async def _users_of_session(self, issuer: str, sub: str | None, session: str | None) -> list[str]:
        if sub is not None and self._settings.identifier == "sub":
            stored = await self.get(issuer, sub)
            return [] if stored is None else [str(stored["userId"])]
        where = Equals("sub", sub) if sub is not None else Equals("sessions", session)
        page = await self._credentials.search(self._name, Query(And((Equals("issuer", issuer), where))))
        return [str(stored["userId"]) for _, stored in page.hits]

    # -- refresh tokens

    def refresh_token(self, stored: StoredIdentity) -> str | None:
        """Return the refresh token of a stored identity, or None."""
        sealed = stored.get("refreshToken")
        content = self._sealer.open(sealed, _REFRESH_TOKEN) if isinstance(sealed, str) else None
        return None if content is None else str(content["text"])

    async def store_refresh_token(self, user_id: str, text: str | None) -> None:
        """Store a refresh token, encrypted; None deletes it."""
        await self._credentials.merge(self._name, user_id, {"refreshToken": self._seal(text)})

    def _seal(self, text: str | None) -> str | None:
        if text is None or not self._settings.keep_refresh_token:
            return None
        return self._sealer.seal({"text": text}, _REFRESH_TOKEN)

    def _session_fields(self, identity: ProviderIdentity, grant: Grant, stored: StoredIdentity) -> Fields:
        sessions = [each for each in stored.get("sessions", []) if each != identity.session]
        if identity.session is not None:
            sessions.append(identity.session)
        fields: Fields = {"sessions": sessions[-_MAX_SESSIONS:]}
        if grant.refresh_token is not None:
            fields["refreshToken"] = self._seal(grant.refresh_token)
        return fields

    async def _update_session(
        self, user_id: str, identity: ProviderIdentity, grant: Grant, stored: StoredIdentity
    ) -> None:
        """Store the session and the refresh token of a login; most logins bring nothing new, and write nothing."""
        fields = self._session_fields(identity, grant, stored)
        if any(stored.get(name) != value for name, value in fields.items()):
            await self._credentials.merge(self._name, user_id, fields)

    # -- profiles

    async def _set_profiles(self, user_id: str, identity: ProviderIdentity) -> None:
        """Update the profiles that groups grant; other profiles stay."""
        if self._settings.group_claim is None:
            return
        user = await self._users.get(user_id)
        if user is None:
            return
        profiles = self._profiles(identity, user.profile_ids)
        if set(profiles) != set(user.profile_ids):
            await self._users.merge(user_id, {"profileIds": profiles})

    def _profiles(self, identity: ProviderIdentity, current: tuple[str, ...]) -> list[str]:
        by_group = self._settings.group_profiles
        if self._settings.group_claim is None:
            return list(current or self._settings.default_profiles)
        groups = read_groups(identity.claims, self._settings.group_claim)
        granted_by_groups = {profile for profiles in by_group.values() for profile in profiles}
        granted = [profile for group in groups for profile in by_group.get(group, [])]
        own = [profile for profile in current if profile not in granted_by_groups]
        return list(dict.fromkeys([*own, *granted])) or list(self._settings.default_profiles)


def _key(issuer: str, subject: str) -> str:
    """Return the key of an identity. Issuers have no spaces, so two identities never share a key."""
    return f"{issuer} {subject}"
