"""Identities in credentials: who may name one without a proof, and how credentials name one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from visado import Fields
from visado_oauth.errors import IdentityInvalid, IdentityRequired
from visado_oauth.openid.claims import read_subject
from visado_oauth.providers.provider import Provider

_PROOF_FIELDS: Final = ("code", "state")
_RESERVED_FIELDS: Final = frozenset({"kuid", "_id", "userId", "issuer", "subject", "refreshToken", "sessions"})
_MAX_ISSUER_CHARACTERS: Final = 255


def contains_proof(credentials: Mapping[str, Any]) -> bool:
    """Return whether credentials are a proof: the code and state with which a user came back from the provider."""
    return all(isinstance(credentials.get(name), str) for name in _PROOF_FIELDS)


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
