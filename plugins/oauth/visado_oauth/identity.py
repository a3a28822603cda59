"""Who it is, by the word of a provider: OpenID's checks, and what OAuth alone can say."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from visado_oauth import claims as said
from visado_oauth.catalogue import Record
from visado_oauth.client import Refused, Talk
from visado_oauth.errors import ProviderFailed, ProviderTimeout
from visado_oauth.keys import Forged, Keys, algorithm_of, hash_fits
from visado_oauth.providers import Granted, Provider
from visado_oauth.values import is_list, is_object

LEEWAY: Final = 30
_OLDEST: Final = 3_600
_LOGOUT: Final = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class Identity:
    """A user, as a provider knows it: the key is issuer and subject, case-sensitive, and nothing else."""

    issuer: str
    subject: str
    claims: Mapping[str, Any] = field(repr=False)
    session: str | None = None
    sub: str = ""
    """The provider's own word for the user, whatever claim is the subject here."""


class Identities:
    """Finds out who the user of a provider is."""

    def __init__(self, talk: Talk, keys: Keys, clock: Callable[[], float] = time.time) -> None:
        self._talk, self._keys, self._clock = talk, keys, clock

    async def find(self, provider: Provider, granted: Granted, nonce: str | None) -> Identity:
        """Check tokens, and read who they speak of. Raises `Forged`, and what talking to the provider raises."""
        signed = await self._signed(provider, granted, nonce) if provider.openid else dict[str, Any]()
        userinfo: Mapping[str, Any] = {}
        if "userinfo_url" in provider.endpoints and (provider.record.userinfo or not provider.openid):
            userinfo = await self._talk.userinfo(provider, granted.access_token)
            if provider.openid and userinfo.get("sub") != signed["sub"]:
                raise Forged("UserInfo speaks of another user")
        document: dict[str, Any] = said.merge(signed, userinfo) | {"token": dict(granted.rest)}
        document = await self._profile(provider, granted.access_token, document)
        found = understood(provider.record, document)
        subject = said.identifier(found, provider.settings.identifier)
        if subject is None:
            raise Forged(f"the claim {provider.settings.identifier!r} identifies nobody")
        issuer = str(signed["iss"]) if provider.openid else provider.issuer
        session = signed.get("sid")
        session = session if isinstance(session, str) else None
        return Identity(issuer, subject, found, session, signed.get("sub", subject))

    async def _profile(self, provider: Provider, access_token: str, document: dict[str, Any]) -> dict[str, Any]:
        for asked in provider.requests:
            try:
                found = await self._talk.profile(provider, asked, access_token)
            except (Refused, ProviderFailed, ProviderTimeout):
                if not asked.optional:
                    raise
                continue
            document = joined(document, asked.into, found)
        return document

    async def _signed(self, provider: Provider, granted: Granted, nonce: str | None) -> dict[str, Any]:
        if granted.id_token is None:
            raise Forged("there is no ID token")
        found = await self._keys.verify(granted.id_token, provider.algorithms)
        self.check(provider, found)
        if nonce is not None and found.get("nonce") != nonce:
            raise Forged("its nonce is not ours")
        if "at_hash" in found:
            algorithm = algorithm_of(granted.id_token)
            if not hash_fits(found["at_hash"], granted.access_token, algorithm):
                raise Forged("its at_hash is not that of the access token")
        return found

    async def same(self, provider: Provider, granted: Granted, issuer: str, sub: str) -> None:
        """Check that a renewed ID token speaks of the same user. Raises `Forged`."""
        found = await self._signed(provider, granted, None)
        if (found["iss"], found["sub"]) != (issuer, sub):
            raise Forged("the renewed token speaks of another user")

    def check(self, provider: Provider, found: Mapping[str, Any]) -> None:
        """Check whose token this is, for whom, and whether it is time. Raises `Forged`."""
        self._check_common(provider, found)
        subject = found.get("sub")
        if not isinstance(subject, str) or not subject:
            raise Forged("it has no subject")
        expires = _time(found, "exp")
        if expires is None or self._clock() >= expires + LEEWAY:
            raise Forged("it has expired")
        begins = _time(found, "nbf")
        if begins is not None and begins > self._clock() + LEEWAY:
            raise Forged("it is not valid yet")

    def _check_common(self, provider: Provider, found: Mapping[str, Any]) -> None:
        if not isinstance(found.get("iss"), str) or found["iss"] != provider.issuer_of(found):
            raise Forged("its issuer is another")
        audience, party = found.get("aud"), found.get("azp")
        audiences: list[Any] = audience if is_list(audience) else [audience]
        if provider.client.id not in audiences:
            raise Forged("it is for somebody else")
        if (len(audiences) > 1 and party is None) or (party is not None and party != provider.client.id):
            raise Forged("it was given to somebody else")
        issued = _time(found, "iat")
        if issued is None or issued > self._clock() + LEEWAY:
            raise Forged("it comes from the future")

    async def logged_out(self, provider: Provider, text: str) -> Mapping[str, Any]:
        """Check a logout token (OpenID Back-Channel Logout). Raises `Forged`, and what asking for keys raises."""
        found = await self._keys.verify(text, provider.algorithms, ("logout+jwt", "jwt"))
        self._check_common(provider, found)
        events = found.get("events")
        if not is_object(events) or not is_object(events.get(_LOGOUT)):
            raise Forged("it is no logout token")
        if "nonce" in found:
            raise Forged("it has a nonce, as ID tokens have")
        if not any(isinstance(found.get(name), str) and found[name] for name in ("sub", "sid")):
            raise Forged("it names neither user nor session")
        if not isinstance(found.get("jti"), str) or not found["jti"]:
            raise Forged("it has no id")
        expires = _time(found, "exp")
        ends = expires if expires is not None else (_time(found, "iat") or 0) + _OLDEST
        if self._clock() >= ends + LEEWAY:
            raise Forged("it has expired")
        return found


def understood(record: Record, document: Mapping[str, Any]) -> dict[str, Any]:
    """Read a provider's answers by its record: the claims, with the e-mail address in its normal form, and weighed."""
    found = said.mapped(document, record.claims)
    address = said.email(found, record.email_trust)
    found = {name: value for name, value in found.items() if name not in {"email", "email_verified"}}
    return found if address is None else {**found, "email": address[0], "email_verified": address[1]}


def refusal(provider: Provider, found: Mapping[str, Any]) -> str | None:
    """Say why the settings keep a user out; None where they do not."""
    required = provider.settings.require
    if required.hosted_domain and found.get("hd") not in required.hosted_domain:
        return "hosted_domain"
    if required.tenant and found.get("tid") not in required.tenant:
        return "tenant"
    if required.email_domain:
        domains = {said.domain_of(f"@{each.casefold()}") for each in required.email_domain}
        if found.get("email_verified") is not True or said.domain_of(str(found.get("email"))) not in domains:
            return "email_domain"
    return None


def joined(document: dict[str, Any], into: str, found: Any) -> dict[str, Any]:
    """Put one answer about a user beside the others; the first to name a member keeps it."""
    if into:
        return {**document, into: found}
    return {**found, **document} if is_object(found) else document


def _time(found: Mapping[str, Any], name: str) -> float | None:
    value = found.get(name)
    if value is None and name != "exp":
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e12:  # noqa: PLR2004
        if value is None:
            return None
        raise Forged(f"its {name} is no time")
    return float(value)
