"""Accounts: which user an identity belongs to. The key is issuer and subject; an e-mail address never joins two."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final
from weakref import WeakValueDictionary

from visado import Fields, Host, Query, Sealer, errors
from visado.storage.query import And, Equals
from visado_oauth import claims as said
from visado_oauth.errors import NoIdentity, UnknownIdentity
from visado_oauth.identity import Identity
from visado_oauth.providers import Granted
from visado_oauth.settings import ProviderSettings

Row = Mapping[str, Any]
"""`{userId, issuer, subject, sub, attributes, sessions, refreshToken}`; the last one sealed."""

_REFRESH: Final = "refresh token"
_SESSIONS: Final = 20


class Accounts:
    """The accounts of one provider's users."""

    def __init__(
        self, name: str, settings: ProviderSettings, host: Host, read_secret: Callable[[], str], *, strict: bool
    ) -> None:
        self._name, self._settings = name, settings
        self._sealer = Sealer(read_secret, f"visado-oauth {_REFRESH}")
        self._users, self._credentials, self._storage = host.users, host.credentials, host.storage
        self.tokens, self._others, self._strict = host.tokens, host.strategies, strict
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def enter(self, identity: Identity, granted: Granted) -> str | None:
        """Find whose identity it is, or make a user; None where neither is to be."""
        # Two first logins at once would make two users, and only then find that one identity has one owner.
        async with self._locks.setdefault(key(identity.issuer, identity.subject), asyncio.Lock()):
            row = await self.row(identity.issuer, identity.subject)
            if row is None and not self._settings.auto_create:
                return None
            if row is None:
                user_id = await self._create(identity, granted)
            else:
                user_id = str(row["userId"])
                if await self._users.get(user_id) is None:
                    return None
                await self._remember(user_id, identity, granted, row)
        await self._set_profiles(user_id, identity)
        return user_id

    async def _create(self, identity: Identity, granted: Granted) -> str:
        async with self._storage.transaction():
            user = await self._users.create({"profileIds": self._profiles(identity, ())})
            await self._link(identity, granted, user.id)
        return user.id

    async def link(self, identity: Identity, granted: Granted, user_id: str) -> None:
        """Give an identity to a user. Raises `errors.SubjectTaken` or `errors.UserLinked`."""
        row = await self.row(identity.issuer, identity.subject)
        if row is not None and row["userId"] == user_id:
            await self._remember(user_id, identity, granted, row)
            return
        await self._link(identity, granted, user_id)

    async def _link(self, identity: Identity, granted: Granted, user_id: str) -> None:
        attributes = said.kept(identity.claims, self._settings.persist, self._settings.attributes)
        fields = {**self._session(identity, granted, {}), "sub": identity.sub}
        await self.keep(user_id, identity.issuer, identity.subject, attributes, fields)

    async def keep(
        self, user_id: str, issuer: str, subject: str, attributes: Fields, fields: Fields | None = None
    ) -> None:
        """Write the row of a user. Raises `errors.SubjectTaken` or `errors.UserLinked`."""
        row = {"issuer": issuer, "subject": subject, "attributes": attributes, **(fields or {})}
        try:
            await self._credentials.link(self._name, key(issuer, subject), user_id, row)
        except errors.SubjectTaken:
            raise errors.SubjectTaken(subject=subject) from None

    async def move(self, identity: Identity, granted: Granted, user_id: str) -> None:
        """Put an identity in the place of the one that a user has. Raises `errors.SubjectTaken`."""
        attributes = said.kept(identity.claims, self._settings.persist, self._settings.attributes)
        async with self._storage.transaction():
            await self.change(user_id, identity.issuer, identity.subject, attributes)
            await self._credentials.update(
                self._name, user_id, {**self._session(identity, granted, {}), "sub": identity.sub}
            )

    async def unlink(self, user_id: str) -> None:
        """Take the identity from a user."""
        async with self._storage.transaction():
            await self._credentials.unlink(self._name, user_id)
            await self._end_other_tokens(user_id)

    async def _end_other_tokens(self, user_id: str) -> None:
        """Under the strict preset, a change ends every token but the one that it was made with."""
        if self._strict:
            await self.tokens.revoke_others(user_id)

    async def is_last(self, user_id: str) -> bool:
        """Whether a user has no credentials in any other strategy."""
        others = [each for name, each in self._others.items() if name != self._name]
        return not any([await each.exists(user_id) for each in others])

    async def is_gone(self, user_id: str) -> bool:
        """Whether there is no such user any more."""
        return await self._users.get(user_id) is None

    async def change(self, user_id: str, issuer: str, subject: str, attributes: Fields) -> None:
        """Change the identity of a user. Raises `errors.SubjectTaken`."""
        fields: Fields = {"issuer": issuer, "subject": subject, "attributes": attributes}
        row = await self.row(issuer, subject)
        if row is None or row["userId"] != user_id:  # another identity: what was kept of the former goes
            fields |= {"sub": subject, "sessions": [], "refreshToken": None}
        try:
            async with self._storage.transaction():
                await self._credentials.update(self._name, user_id, fields, subject=key(issuer, subject))
                await self._end_other_tokens(user_id)
        except errors.SubjectTaken:
            raise errors.SubjectTaken(subject=subject) from None

    async def row(self, issuer: str, subject: str) -> Row | None:
        """The row of an identity, or None."""
        return await self._credentials.get(self._name, key(issuer, subject))

    async def of_user(self, user_id: str) -> Row | None:
        """The row of a user, or None."""
        found = await self._credentials.get_of_user(self._name, user_id)
        return None if found is None else found[1]

    async def find(self, user_id: str) -> Row:
        """The row of a user. Raises `NoIdentity`."""
        row = await self.of_user(user_id)
        if row is None:
            raise NoIdentity(user=user_id)
        return row

    async def by_subject(self, issuer: str, subject: str) -> Row:
        """The row of a subject, or of an issuer and a subject with a space between. Raises `UnknownIdentity`."""
        if " " in subject and "://" in subject.partition(" ")[0]:
            issuer, _, subject = subject.partition(" ")
        row = await self.row(issuer, subject)
        if row is None:
            raise UnknownIdentity(user=subject)
        return row

    def shown(self, row: Row) -> Fields:
        """Show what may be shown of a row."""
        return {**row["attributes"], self._settings.identifier: row["subject"], "iss": row["issuer"]}

    async def end_sessions(self, issuer: str, sub: str | None, session: str | None) -> None:
        """End the tokens of whoever is meant, and tell the open sockets."""
        for user_id in await self._of_session(issuer, sub, session):
            await self.keep_refresh_token(user_id, None)
            await self.tokens.revoke_all(user_id, tell=True, strategy=self._name)

    async def _of_session(self, issuer: str, sub: str | None, session: str | None) -> list[str]:
        """Find the users of a session at the provider, or of a subject there."""
        if sub is not None and self._settings.identifier == "sub":
            row = await self.row(issuer, sub)
            return [] if row is None else [str(row["userId"])]
        where = Equals("sub", sub) if sub is not None else Equals("sessions", session)
        page = await self._credentials.search(self._name, Query(And((Equals("issuer", issuer), where))))
        return [str(row["userId"]) for _, row in page.hits]

    # -- refresh tokens

    def refresh_token(self, row: Row) -> str | None:
        """Read the refresh token in a row."""
        sealed = row.get("refreshToken")
        content = self._sealer.open(sealed, _REFRESH) if isinstance(sealed, str) else None
        return None if content is None else str(content["text"])

    async def keep_refresh_token(self, user_id: str, text: str | None) -> None:
        """Keep a refresh token, encrypted; None forgets it."""
        await self._credentials.update(self._name, user_id, {"refreshToken": self._sealed(text)})

    def _sealed(self, text: str | None) -> str | None:
        if text is None or not self._settings.keep_refresh_token:
            return None
        return self._sealer.seal({"text": text}, _REFRESH)

    def _session(self, identity: Identity, granted: Granted, row: Row) -> Fields:
        sessions = [each for each in row.get("sessions", []) if each != identity.session]
        if identity.session is not None:
            sessions.append(identity.session)
        fields: Fields = {"sessions": sessions[-_SESSIONS:]}
        if granted.refresh_token is not None:
            fields["refreshToken"] = self._sealed(granted.refresh_token)
        return fields

    async def _remember(self, user_id: str, identity: Identity, granted: Granted, row: Row) -> None:
        """Keep what a new login of a known user brings; most bring nothing that is worth a write."""
        fields = self._session(identity, granted, row)
        if any(row.get(name) != value for name, value in fields.items()):
            await self._credentials.update(self._name, user_id, fields)

    # -- profiles

    async def _set_profiles(self, user_id: str, identity: Identity) -> None:
        """Let the groups of today decide on the profiles that groups give; others stay."""
        if self._settings.group_claim is None:
            return
        user = await self._users.get(user_id)
        if user is None:
            return
        profiles = self._profiles(identity, user.profile_ids)
        if set(profiles) != set(user.profile_ids):
            await self._users.update(user_id, {"profileIds": profiles})

    def _profiles(self, identity: Identity, present: tuple[str, ...]) -> list[str]:
        by_group = self._settings.group_profiles
        if self._settings.group_claim is None:
            return list(present or self._settings.default_profiles)
        groups = said.groups(identity.claims, self._settings.group_claim)
        governed = {profile for profiles in by_group.values() for profile in profiles}
        given = [profile for group in groups for profile in by_group.get(group, [])]
        stay = [profile for profile in present if profile not in governed]
        return list(dict.fromkeys([*stay, *given])) or list(self._settings.default_profiles)


def key(issuer: str, subject: str) -> str:
    """Name an identity: issuers have no spaces, so that no two identities share a name."""
    return f"{issuer} {subject}"
