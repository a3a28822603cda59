"""Identities that are named in credentials: who may name one, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from visado import Fields, Request
from visado_oauth import claims as said
from visado_oauth.errors import IdentityInvalid, IdentityRequired
from visado_oauth.providers import Provider

_PROOF: Final = ("code", "state")
_NOT_ATTRIBUTES: Final = frozenset({"kuid", "_id", "userId", "issuer", "subject", "refreshToken", "sessions"})


def needs_proof(request: Request | None) -> bool:
    """Whether who asks must prove an identity: everybody, but those who administer users.

    `createRestrictedUser` may be open to everybody, so that it is no administrator's act.
    """
    return request is not None and (request.controller == "auth" or request.action == "createRestrictedUser")


def names_proof(credentials: Mapping[str, Any]) -> bool:
    """Whether credentials are a proof: what a provider sent the user back with."""
    return all(isinstance(credentials.get(name), str) for name in _PROOF)


@dataclass(frozen=True, slots=True)
class Named:
    """An identity, in the words of an administrator."""

    issuer: str
    subject: str | None
    attributes: Fields

    @staticmethod
    def read(credentials: Fields, provider: Provider, *, update: bool) -> Named:
        """Read credentials. Raises `IdentityRequired`, `IdentityInvalid`."""
        name = provider.settings.identifier
        for member in credentials:
            if member in _NOT_ATTRIBUTES:
                raise IdentityInvalid(field=member, rule="the host decides on it")
        subject = None
        if credentials.get(name) is not None:
            subject = said.identifier({"id": credentials[name]}, "id")
            if subject is None:
                raise IdentityInvalid(field=name, rule="a text of 1 to 255 characters")
        elif not update or not credentials:
            raise IdentityRequired(identifier=name)
        issuer = credentials.get("iss", provider.issuer)
        if not isinstance(issuer, str) or (not issuer.startswith("https://") and issuer != provider.issuer):
            raise IdentityInvalid(field="iss", rule="the issuer, such as the provider's tokens name it")
        if " " in issuer or not issuer.isprintable() or len(issuer) > 255:  # noqa: PLR2004
            raise IdentityInvalid(field="iss", rule="an address")
        attributes = {member: value for member, value in credentials.items() if member not in {name, "iss"}}
        return Named(issuer, subject, attributes)
