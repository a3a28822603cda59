"""Providers: settings and catalogue put together, completed by what the provider says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from visado_oauth import catalogue
from visado_oauth.catalogue import Misconfigured, ProfileRequest, Record
from visado_oauth.guard import Reach, Unreachable
from visado_oauth.settings import ProviderSettings

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""How ID tokens may be signed: never `none`, and never with a secret that the client shares."""

_ENDPOINTS: Final = {
    "authorize_url": "authorization_endpoint",
    "token_url": "token_endpoint",
    "userinfo_url": "userinfo_endpoint",
    "jwks_url": "jwks_uri",
    "revoke_url": "revocation_endpoint",
    "end_session_url": "end_session_endpoint",
    "device_url": "device_authorization_endpoint",
}
_AUTH: Final = ("client_secret_basic", "client_secret_post")


@dataclass(frozen=True, slots=True)
class Client:
    """What this host is to a provider."""

    id: str
    auth: str
    secret: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    key_id: str | None = None
    id_param: str = "client_id"
    secret_param: str = "client_secret"  # noqa: S105 - a name
    signed_secret: catalogue.SignedSecret | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """An OAuth identity provider, with all that a login needs to know of it."""

    name: str
    record: Record
    settings: ProviderSettings
    client: Client
    redirect_uri: str
    openid: bool
    issuer: str
    endpoints: Mapping[str, str]
    algorithms: tuple[str, ...] = ALGORITHMS
    names_itself: bool = False
    """Whether its callbacks carry `iss` (RFC 9207)."""

    @property
    def discovers(self) -> bool:
        """Whether the provider is still to be asked where its ends are."""
        return "authorize_url" not in self.endpoints

    @property
    def scopes(self) -> tuple[str, ...]:
        """What is asked for."""
        given = self.settings.scopes
        scopes = self.record.scopes if given is None else given
        if self.openid and "openid" not in scopes:
            return ("openid", *scopes)
        return tuple(scopes)

    @property
    def pkce(self) -> bool:
        """Whether the provider is sent PKCE."""
        return self.record.pkce if self.settings.pkce is None else self.settings.pkce

    @property
    def requests(self) -> tuple[ProfileRequest, ...]:
        """The questions about a user beside UserInfo."""
        return tuple(self.record.requests)

    def url(self, name: str) -> str:
        """Name one of the provider's addresses. Raises `Misconfigured`."""
        url = self.endpoints.get(name)
        if url is None:
            raise Misconfigured(f"{name} is not known")
        return url

    def issuer_of(self, claims: Mapping[str, Any]) -> str:
        """Name the issuer that tokens with these claims must have."""
        if self.record.issuer_claim is None or self.settings.issuer is not None:
            return self.issuer
        values = {name: value for name, value in claims.items() if isinstance(value, str)}
        return catalogue.fill(self.record.issuer_claim, values)

    def completed(self, metadata: Mapping[str, Any], reach: Reach) -> Provider:
        """Learn from the provider's metadata. Raises `Misconfigured`."""
        if metadata.get("issuer") != (self.record.metadata_issuer or self.issuer):
            raise Misconfigured(f"its metadata names another issuer: {str(metadata.get('issuer'))[:200]!r}")
        endpoints = {ours: metadata.get(theirs) for ours, theirs in _ENDPOINTS.items()}
        found = {name: url for name, url in endpoints.items() if isinstance(url, str)} | dict(self.endpoints)
        for name in ("authorize_url", "token_url", "jwks_url"):
            if name not in found:
                raise Misconfigured(f"its metadata lacks {_ENDPOINTS[name]}")
        _check(found, reach)
        offered = metadata.get("id_token_signing_alg_values_supported")
        known = tuple(each for each in ALGORITHMS if isinstance(offered, list) and each in offered)
        auth = self.client.auth or _choose(metadata.get("token_endpoint_auth_methods_supported"))
        return replace(
            self,
            endpoints=found,
            algorithms=tuple(self.record.algorithms or known or ALGORITHMS),
            names_itself=metadata.get("authorization_response_iss_parameter_supported") is True,
            client=replace(self.client, auth=auth),
        )


@dataclass(frozen=True, slots=True)
class Granted:
    """What a provider hands out: tokens, and whatever else its answer says."""

    access_token: str = field(repr=False)
    id_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    rest: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


def resolve(name: str, settings: ProviderSettings, folder: Path | None, public_url: str, reach: Reach) -> Provider:
    """Put a provider together. Raises `Misconfigured`."""
    record = _record(settings, folder)
    explicit = {each: getattr(settings, each) or getattr(record, each) for each in _ENDPOINTS}
    endpoints = {each: url for each, url in explicit.items() if url}
    openid = record.openid if settings.provider else not settings.authorize_url or settings.jwks_url is not None
    issuer = settings.issuer or record.issuer or _origin(endpoints)
    if openid and endpoints.get("authorize_url") and not endpoints.get("jwks_url"):
        raise Misconfigured("jwks_url is needed beside authorize_url")
    if openid and not (settings.issuer or record.issuer):
        raise Misconfigured("issuer is needed beside jwks_url")
    if not openid and not (endpoints.get("userinfo_url") or record.requests or "sub" in record.claims):
        raise Misconfigured("userinfo_url is needed: nothing else says who the user is")
    redirect_uri = settings.redirect_uri or (f"{public_url}/_login/{name}" if public_url else "")
    if not redirect_uri:
        raise Misconfigured("redirect_uri is needed, or [server] public_url")
    _check({**endpoints, **({"issuer": issuer} if openid else {})}, reach)
    return Provider(
        name=name,
        record=record,
        settings=settings,
        client=_client(settings, record),
        redirect_uri=redirect_uri,
        openid=openid,
        issuer=issuer,
        endpoints=endpoints,
        algorithms=tuple(record.algorithms or ALGORITHMS),
    )


def _record(settings: ProviderSettings, folder: Path | None) -> Record:
    if settings.provider:
        return catalogue.find(settings.provider, folder).filled(settings.variables)
    claims = {} if settings.jwks_url or not settings.authorize_url else {"sub": "sub || id"}
    return Record.model_validate({"title": "", "docs": "", "issuer": "", "claims": claims})


def _client(settings: ProviderSettings, record: Record) -> Client:
    """Gather what shows the provider who asks. Raises `Misconfigured`."""
    if not settings.client_id:
        raise Misconfigured("client_id is needed")
    secret = _text(settings.client_secret, settings.client_secret_file, "client_secret_file")
    key = _text(settings.private_key, settings.private_key_file, "private_key_file")
    auth = settings.token_auth or record.token_auth or ("private_key_jwt" if key and not secret else "")
    if auth in {"private_key_jwt", "signed_secret"} and not key:
        raise Misconfigured("private_key is needed, or private_key_file")
    if auth in {*_AUTH, ""} and not secret:
        raise Misconfigured("client_secret is needed, or client_secret_file; for a public client token_auth = 'none'")
    if auth == "signed_secret" and not settings.key_id:
        raise Misconfigured("key_id is needed")
    return Client(
        id=settings.client_id,
        auth=auth,
        secret=secret,
        private_key=key,
        key_id=settings.key_id,
        id_param=record.client_id_param,
        secret_param=record.client_secret_param,
        signed_secret=record.signed_secret,
    )


def _text(given: Any, file: Path | None, name: str) -> str | None:
    if given is not None and given.get_secret_value():
        return str(given.get_secret_value())
    if file is None:
        return None
    try:
        return file.read_text().strip() or None
    except OSError as error:
        raise Misconfigured(f"{name} cannot be read: {error.strerror}") from None


def _choose(offered: Any) -> str:
    """Choose how to show the secret, as the provider offers; OpenID's default is `client_secret_basic`."""
    if isinstance(offered, list):
        return next((each for each in _AUTH if each in offered), _AUTH[0])
    return _AUTH[0]


def _origin(endpoints: Mapping[str, str]) -> str:
    parts = urlsplit(endpoints.get("token_url", ""))
    return f"{parts.scheme}://{parts.netloc}"


def _check(urls: Mapping[str, str], reach: Reach) -> None:
    for name, url in urls.items():
        try:
            reach.check_url(url)
        except Unreachable as error:
            raise Misconfigured(f"{name}: {error}") from None
