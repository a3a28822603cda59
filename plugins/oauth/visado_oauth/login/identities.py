"""Identities: who a user is by a provider's tokens (OpenID Connect) or by its API (OAuth alone)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from visado import Clock, Fail
from visado_oauth.errors import OauthError, ProviderFailed, ProviderTimeout, TokenRejected
from visado_oauth.login.denials import LoginDenied
from visado_oauth.login.provider_requests import ProviderRequests
from visado_oauth.openid.claims import email_domain, map_claims, merge_claims, read_email, read_subject
from visado_oauth.openid.json_values import is_list, is_object, is_storable
from visado_oauth.openid.keys import ProviderKeys, matches_hash, token_algorithm
from visado_oauth.providers.provider import Grant, Provider
from visado_oauth.providers.record_schema import ProviderRecord

LEEWAY_SECONDS: Final = 30
_LOGOUT_TOKEN_SECONDS: Final = 3_600
_MAX_TIMESTAMP: Final = 1e12
_MAX_SESSION_CHARACTERS: Final = 255
_MAX_METHODS: Final = 16
_LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class ProviderIdentity:
    """A user as a provider knows it. Its key is issuer and subject, case-sensitive, and nothing else.

    `session` is the provider's session id. `sub` is the provider's claim, whichever claim the subject is. `methods` are
    the ways in which the user proved it to the provider, as the claim `amr` names them.
    """

    issuer: str
    subject: str
    claims: Mapping[str, Any] = field(repr=False)
    session: str | None = None
    sub: str = ""
    methods: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """The subject in the host's credentials. Issuers have no spaces, so two identities never share a key."""
        return identity_key(self.issuer, self.subject)


class IdentityReader:
    """Checks a provider's tokens, and reads whose they are."""

    def __init__(self, requests: ProviderRequests, keys: ProviderKeys, clock: Clock) -> None:
        self._requests, self._keys, self._clock = requests, keys, clock

    def _now(self) -> float:
        return self._clock() / 1_000

    async def read(self, provider: Provider, grant: Grant, nonce: str | None) -> ProviderIdentity:
        """Check tokens, and return the identity of their user. Raises `TokenRejected`, and as `ProviderRequests`."""
        signed = await self._verify_id_token(provider, grant, nonce) if provider.openid else dict[str, Any]()
        userinfo: Mapping[str, Any] = {}
        if "userinfo_url" in provider.endpoints and (provider.record.userinfo or not provider.openid):
            userinfo = await self._requests.userinfo(provider, grant.access_token)
            if provider.openid and userinfo.get("sub") != signed["sub"]:
                raise TokenRejected("UserInfo is about another user")
        document: dict[str, Any] = merge_claims(signed, userinfo) | {"token": dict(grant.rest)}
        document = await self._add_profile(provider, grant.access_token, document)
        claims = read_claims(provider.record, document)
        subject = read_subject(claims, provider.settings.identifier)
        if subject is None:
            raise TokenRejected(f"the claim {provider.settings.identifier!r} identifies no user")
        issuer = str(signed["iss"]) if provider.openid else provider.issuer
        if not is_storable(claims):
            raise TokenRejected("a claim has a text that is not Unicode")
        session = signed.get("sid")
        session = session if isinstance(session, str) and len(session) <= _MAX_SESSION_CHARACTERS else None
        return ProviderIdentity(
            issuer, subject, claims, session, signed.get("sub", subject), _read_methods(signed.get("amr"))
        )

    async def _add_profile(self, provider: Provider, access_token: str, document: dict[str, Any]) -> dict[str, Any]:
        for wanted in provider.requests:
            try:
                response = await self._requests.profile(provider, wanted, access_token)
            except (OauthError, ProviderFailed, ProviderTimeout):
                if not wanted.optional:
                    raise
                continue
            document = add_response(document, wanted.into, response)
        return document

    async def _verify_id_token(self, provider: Provider, grant: Grant, nonce: str | None) -> dict[str, Any]:
        if grant.id_token is None:
            raise TokenRejected("the response has no ID token")
        claims = await self._keys.verify(grant.id_token, provider.algorithms)
        self._check_id_token(provider, claims)
        if nonce is not None and claims.get("nonce") != nonce:
            raise TokenRejected("its nonce is not that of the attempt")
        if "at_hash" in claims:
            algorithm = token_algorithm(grant.id_token)
            if not matches_hash(claims["at_hash"], grant.access_token, algorithm):
                raise TokenRejected("its at_hash is not that of the access token")
        return claims

    async def check_refreshed(self, provider: Provider, grant: Grant, issuer: str, sub: str) -> None:
        """Raise `TokenRejected` unless a refreshed ID token is about the same user."""
        claims = await self._verify_id_token(provider, grant, None)
        if (claims["iss"], claims["sub"]) != (issuer, sub):
            raise TokenRejected("the refreshed token is about another user")

    def _check_id_token(self, provider: Provider, claims: Mapping[str, Any]) -> None:
        self._check_common_claims(provider, claims)
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            raise TokenRejected("it has no subject")
        expires = _read_time(claims, "exp")
        if expires is None or self._now() >= expires + LEEWAY_SECONDS:
            raise TokenRejected("it has expired")
        not_before = _read_time(claims, "nbf")
        if not_before is not None and not_before > self._now() + LEEWAY_SECONDS:
            raise TokenRejected("it is not valid yet")

    def _check_common_claims(self, provider: Provider, claims: Mapping[str, Any]) -> None:
        if not isinstance(claims.get("iss"), str) or claims["iss"] != provider.expected_issuer(claims):
            raise TokenRejected("it has another issuer")
        audience, party = claims.get("aud"), claims.get("azp")
        audiences: list[Any] = audience if is_list(audience) else [audience]
        if provider.client.id not in audiences:
            raise TokenRejected("it is for another client")
        if (len(audiences) > 1 and party is None) or (party is not None and party != provider.client.id):
            raise TokenRejected("it was issued to another client")
        issued = _read_time(claims, "iat")
        if issued is None or issued > self._now() + LEEWAY_SECONDS:
            raise TokenRejected("it was issued in the future")

    async def read_logout_token(self, provider: Provider, text: str) -> Mapping[str, Any]:
        """Return the claims of a logout token (OpenID Back-Channel Logout), with `exp` where it has none.

        Raises `TokenRejected`, and as the fetch of the keys.
        """
        claims = await self._keys.verify(text, provider.algorithms, ("logout+jwt", "jwt"))
        self._check_common_claims(provider, claims)
        events = claims.get("events")
        if not is_object(events) or not is_object(events.get(_LOGOUT_EVENT)):
            raise TokenRejected("it is not a logout token")
        if "nonce" in claims:
            raise TokenRejected("it has a nonce, as ID tokens have")
        if not any(isinstance(claims.get(name), str) and claims[name] for name in ("sub", "sid")):
            raise TokenRejected("it names neither a user nor a session")
        if not isinstance(claims.get("jti"), str) or not claims["jti"]:
            raise TokenRejected("it has no id")
        expires = _read_time(claims, "exp")
        ends = expires if expires is not None else (_read_time(claims, "iat") or 0) + _LOGOUT_TOKEN_SECONDS
        if self._now() >= ends + LEEWAY_SECONDS:
            raise TokenRejected("it has expired")
        return {**claims, "exp": ends}


def identity_key(issuer: str, subject: str) -> str:
    """Return the subject of an identity in the host's credentials."""
    return f"{issuer} {subject}"


def _read_methods(value: object) -> frozenset[str]:
    methods: list[Any] = value[:_MAX_METHODS] if is_list(value) else []
    return frozenset(each for each in methods if isinstance(each, str) and each and is_storable(each))


def read_claims(record: ProviderRecord, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims that a record reads from a provider's responses, with the e-mail address in normal form."""
    mapped = map_claims(document, record.claims)
    address = read_email(mapped, record.email_trust)
    claims = {name: value for name, value in mapped.items() if name not in {"email", "email_verified"}}
    return claims if address is None else {**claims, "email": address[0], "email_verified": address[1]}


def check_requirements(provider: Provider, identity: ProviderIdentity) -> None:
    """Raise `LoginDenied` where the settings do not let this user in."""
    failed = failed_requirement(provider, identity.claims)
    if failed is not None:
        raise LoginDenied(f"the user does not meet require.{failed}", Fail("This account may not log in here."))


def failed_requirement(provider: Provider, claims: Mapping[str, Any]) -> str | None:
    """Return the key of `require` that the user does not meet, or None."""
    required = provider.settings.require
    if required.hosted_domain and claims.get("hd") not in required.hosted_domain:
        return "hosted_domain"
    if required.tenant and claims.get("tid") not in required.tenant:
        return "tenant"
    if required.email_domain:
        domains = {email_domain(f"@{each.casefold()}") for each in required.email_domain}
        if claims.get("email_verified") is not True or email_domain(str(claims.get("email"))) not in domains:
            return "email_domain"
    return None


def add_response(document: dict[str, Any], into: str, response: Any) -> dict[str, Any]:
    """Add a response to a document: as the member `into`, or its members, where the document lacks them."""
    if into:
        return {**document, into: response}
    return {**response, **document} if is_object(response) else document


def _read_time(claims: Mapping[str, Any], name: str) -> float | None:
    """Return a claim in seconds since 1970, or None without one. Raises `TokenRejected` unless it is a number."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < _MAX_TIMESTAMP:
        raise TokenRejected(f"its {name} is not a time")
    return float(value)
