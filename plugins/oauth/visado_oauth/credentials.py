"""Identities in the host's credentials: what is stored of them, and how administrators name one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from visado import Fields, Host, Identity, errors
from visado_oauth.errors import IdentityInvalid, IdentityRequired, LastCredentials
from visado_oauth.login.identities import ProviderIdentity, identity_key
from visado_oauth.openid.claims import read_groups, read_subject, select_attributes
from visado_oauth.providers.provider import Provider
from visado_oauth.settings import ProviderSettings

StoredIdentity: TypeAlias = Mapping[str, Any]
"""`{userId, issuer, subject, sub, claims, attributes}`: the provider's claims, and an administrator's attributes."""

_RESERVED_FIELDS: Final = frozenset({"kuid", "_id", "userId", "issuer", "subject", "granted"})
_MAX_ISSUER_CHARACTERS: Final = 255


class ProviderCredentials:
    """The identities of users at one provider. Under the strict preset, a change revokes the user's other tokens."""

    def __init__(self, name: str, settings: ProviderSettings, host: Host, *, strict: bool) -> None:
        self._name, self._settings, self._strict = name, settings, strict
        self._users, self._credentials, self._tokens, self._storage = (
            host.users,
            host.credentials,
            host.tokens,
            host.storage,
        )

    def describe(self, proved: ProviderIdentity) -> Identity:
        """Return an identity that its owner has proved, as the host finds, links or makes its user."""
        claims = select_attributes(proved.claims, self._settings.persist, self._settings.attributes)
        kept = {"issuer": proved.issuer, "subject": proved.subject, "sub": proved.sub, "claims": claims}
        return Identity(proved.key, proved.claims, kept, self._granted_profiles(proved))

    def _granted_profiles(self, proved: ProviderIdentity) -> tuple[str, ...] | None:
        if self._settings.group_claim is None:
            return None
        by_group = self._settings.group_profiles
        groups = read_groups(proved.claims, self._settings.group_claim)
        return tuple(dict.fromkeys(profile for group in groups for profile in by_group.get(group, [])))

    def public_fields(self, stored: StoredIdentity) -> Fields:
        """Return the members of a stored identity that clients may see."""
        named = {self._settings.identifier: stored["subject"], "iss": stored["issuer"]}
        return {**stored.get("attributes", {}), **stored["claims"], **named}

    async def find(self, user_id: str) -> StoredIdentity:
        """Return the stored identity of a user. Raises `errors.NoCredentials`."""
        return (await self._credentials.find_of_user(self._name, user_id))[1]

    async def exists(self, user_id: str) -> bool:
        """Return whether a user has an identity."""
        return await self._credentials.get_of_user(self._name, user_id) is not None

    async def find_by_subject(self, issuer: str, subject: str) -> StoredIdentity:
        """Return the stored identity of a subject. Raises `errors.NoCredentials`.

        The subject may be an issuer and a subject with a space between them.
        """
        if " " in subject and "://" in subject.partition(" ")[0]:
            issuer, _, subject = subject.partition(" ")
        stored = await self._credentials.get(self._name, identity_key(issuer, subject))
        if stored is None:
            raise errors.NoCredentials(what="username", name=subject)
        return stored

    async def check_free(self, named: NamedIdentity, user_id: str) -> None:
        """Raise `errors.SubjectTaken` where another user has an identity."""
        if named.subject is None:
            return
        stored = await self._credentials.get(self._name, identity_key(named.issuer, named.subject))
        if stored is not None and stored["userId"] != user_id:
            raise errors.SubjectTaken(subject=named.subject)

    async def create(self, user_id: str, named: NamedIdentity) -> None:
        """Link a named identity to a user. Raises `errors.SubjectTaken` or `errors.UserLinked`."""
        subject = named.subject or ""
        fields: Fields = {"issuer": named.issuer, "subject": subject, "sub": subject, "claims": {}}
        key = identity_key(named.issuer, subject)
        await self._credentials.link(self._name, key, user_id, {**fields, "attributes": named.attributes})

    async def update(self, user_id: str, named: NamedIdentity) -> None:
        """Replace the identity of a user, or its attributes. Raises `errors.SubjectTaken`, `errors.NoCredentials`."""
        key, stored = await self._credentials.find_of_user(self._name, user_id)
        claims = {name: value for name, value in stored["claims"].items() if name not in named.attributes}
        fields: Fields = {"claims": claims, "attributes": {**stored.get("attributes", {}), **named.attributes}}
        if named.subject is not None and key != identity_key(named.issuer, named.subject):
            key = identity_key(named.issuer, named.subject)
            fields |= {"issuer": named.issuer, "subject": named.subject, "sub": named.subject, "claims": {}}
        async with self._storage.transaction():
            await self._credentials.merge(self._name, user_id, fields, subject=key)
            await self._revoke_other_tokens(user_id)

    async def delete(self, user_id: str) -> None:
        """Remove the identity from a user."""
        async with self._storage.transaction():
            await self._credentials.unlink(self._name, user_id)
            await self._revoke_other_tokens(user_id)

    async def check_not_last(self, user_id: str) -> None:
        """Raise `LastCredentials` where a user has no credentials in any other strategy."""
        user = await self._users.get(user_id)
        if user is None or not set(await self._users.strategies(user)) - {self._name}:
            raise LastCredentials(user=user_id)

    async def _revoke_other_tokens(self, user_id: str) -> None:
        if self._strict:
            await self._tokens.revoke_others(user_id)


@dataclass(frozen=True, slots=True)
class NamedIdentity:
    """An identity that an administrator names; an update without a subject changes the attributes alone."""

    issuer: str
    subject: str | None
    attributes: Fields

    @staticmethod
    def read(credentials: Fields, provider: Provider, *, update: bool) -> NamedIdentity:
        """Read credentials. Raises `IdentityRequired`, `IdentityInvalid`."""
        name = provider.settings.identifier
        for member in credentials:
            if member in _RESERVED_FIELDS:
                raise IdentityInvalid(field=member, rule="reserved for the host")
        subject = None
        if credentials.get(name) is not None:
            subject = read_subject({"id": credentials[name]}, "id")
            if subject is None:
                raise IdentityInvalid(field=name, rule="must be a text of 1 to 255 characters")
        elif not update or not credentials:
            raise IdentityRequired(identifier=name)
        issuer = credentials.get("iss", provider.issuer)
        if not isinstance(issuer, str) or (not issuer.startswith("https://") and issuer != provider.issuer):
            raise IdentityInvalid(field="iss", rule="must be the issuer in the provider's tokens")
        if " " in issuer or not issuer.isprintable() or len(issuer) > _MAX_ISSUER_CHARACTERS:
            raise IdentityInvalid(field="iss", rule="must be a URL")
        attributes = {member: value for member, value in credentials.items() if member not in {name, "iss"}}
        return NamedIdentity(issuer, subject, attributes)
