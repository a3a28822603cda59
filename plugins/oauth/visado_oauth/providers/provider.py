"""A provider: its settings and its record put together, completed by its discovery document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from visado_oauth.errors import ProviderMisconfigured, RequestBlocked
from visado_oauth.providers.address_guard import AddressGuard
from visado_oauth.providers.catalogue import find_record
from visado_oauth.providers.record_schema import ProfileRequest, ProviderRecord, SignedSecret, fill_variables
from visado_oauth.settings import ProviderSettings

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""The algorithms that ID tokens may be signed with: never `none`, and never one with a shared secret."""

_METADATA_NAMES: Final = {
    "authorize_url": "authorization_endpoint",
    "token_url": "token_endpoint",
    "userinfo_url": "userinfo_endpoint",
    "jwks_url": "jwks_uri",
    "revoke_url": "revocation_endpoint",
    "end_session_url": "end_session_endpoint",
    "device_url": "device_authorization_endpoint",
}
"""The names of URLs in settings, and in discovery documents."""
_SECRET_METHODS: Final = ("client_secret_basic", "client_secret_post")
_MAX_QUOTED_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class ClientRegistration:
    """This host as a client of the provider: its id, its secret or key, and how it authenticates."""

    id: str
    auth: str
    secret: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    key_id: str | None = None
    id_param: str = "client_id"
    secret_param: str = "client_secret"  # noqa: S105 - a name
    signed_secret: SignedSecret | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """An OAuth identity provider with everything that a login needs to know of it.

    `endpoints` are the provider's URLs by their name in the settings. `sends_issuer` means that its callbacks carry
    `iss` (RFC 9207).
    """

    name: str
    record: ProviderRecord
    settings: ProviderSettings
    client: ClientRegistration
    redirect_uri: str
    openid: bool
    issuer: str
    endpoints: Mapping[str, str]
    algorithms: tuple[str, ...] = ALGORITHMS
    sends_issuer: bool = False

    @property
    def needs_discovery(self) -> bool:
        """Whether the provider's URLs must be discovered first."""
        return "authorize_url" not in self.endpoints

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes of a login."""
        given = self.settings.scopes
        scopes = self.record.scopes if given is None else given
        if self.openid and "openid" not in scopes:
            return ("openid", *scopes)
        return tuple(scopes)

    @property
    def pkce(self) -> bool:
        """Whether logins use PKCE."""
        return self.record.pkce if self.settings.pkce is None else self.settings.pkce

    @property
    def posts(self) -> bool:
        """Whether a page of the provider posts the user back."""
        return self.settings.response_mode == "form_post"

    @property
    def login_origin(self) -> str:
        """The origin of the login page. Raises `ProviderMisconfigured` without one."""
        return _origin(self.url("authorize_url"))

    @property
    def requests(self) -> tuple[ProfileRequest, ...]:
        """The requests for the user's data besides UserInfo."""
        return tuple(self.record.requests)

    def url(self, name: str) -> str:
        """Return the provider's URL of this name, such as `token_url`. Raises `ProviderMisconfigured` without one."""
        url = self.endpoints.get(name)
        if url is None:
            raise ProviderMisconfigured(f"{name} is unknown")
        return url

    def expected_issuer(self, claims: Mapping[str, Any]) -> str:
        """Return the issuer that a token with these claims must have."""
        if self.record.issuer_claim is None or self.settings.issuer is not None:
            return self.issuer
        values = {name: value for name, value in claims.items() if isinstance(value, str)}
        return fill_variables(self.record.issuer_claim, values)

    def with_metadata(self, metadata: Mapping[str, Any], guard: AddressGuard) -> Provider:
        """Return the provider completed by its discovery document. Raises `ProviderMisconfigured`."""
        if metadata.get("issuer") != (self.record.metadata_issuer or self.issuer):
            issuer = str(metadata.get("issuer"))[:_MAX_QUOTED_CHARACTERS]
            raise ProviderMisconfigured(f"its discovery document names another issuer: {issuer!r}")
        discovered = {name: metadata.get(theirs) for name, theirs in _METADATA_NAMES.items()}
        endpoints = {name: url for name, url in discovered.items() if isinstance(url, str)} | dict(self.endpoints)
        for name in ("authorize_url", "token_url", "jwks_url"):
            if name not in endpoints:
                raise ProviderMisconfigured(f"its discovery document lacks {_METADATA_NAMES[name]}")
        _check_urls(endpoints, guard)
        offered = metadata.get("id_token_signing_alg_values_supported")
        known = tuple(each for each in ALGORITHMS if isinstance(offered, list) and each in offered)
        auth = self.client.auth or _choose_secret_method(metadata.get("token_endpoint_auth_methods_supported"))
        return replace(
            self,
            endpoints=endpoints,
            algorithms=tuple(self.record.algorithms or known or ALGORITHMS),
            sends_issuer=metadata.get("authorization_response_iss_parameter_supported") is True,
            client=replace(self.client, auth=auth),
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """A response of the token endpoint: the tokens, and its other members."""

    access_token: str = field(repr=False)
    id_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    rest: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


def resolve_provider(
    name: str, settings: ProviderSettings, folder: Path | None, public_url: str, guard: AddressGuard
) -> Provider:
    """Put a provider together from its settings and its record. Raises `ProviderMisconfigured`.

    `folder` is the operator's catalogue, and `public_url` the host's URL as browsers see it.
    """
    record = _find_record(settings, folder)
    explicit = {each: getattr(settings, each) or getattr(record, each) for each in _METADATA_NAMES}
    endpoints = {each: url for each, url in explicit.items() if url}
    openid = record.openid if settings.provider else not settings.authorize_url or settings.jwks_url is not None
    issuer = settings.issuer or record.issuer or _origin(endpoints.get("token_url", ""))
    if openid and endpoints.get("authorize_url") and not endpoints.get("jwks_url"):
        raise ProviderMisconfigured("jwks_url is required with authorize_url")
    if openid and not (settings.issuer or record.issuer):
        raise ProviderMisconfigured("issuer is required with jwks_url")
    if not openid and not (endpoints.get("userinfo_url") or record.requests or "sub" in record.claims):
        raise ProviderMisconfigured("userinfo_url is required: without it nothing says who the user is")
    redirect_uri = settings.redirect_uri or (f"{public_url}/_login/{name}" if public_url else "")
    if not redirect_uri:
        raise ProviderMisconfigured("redirect_uri or [server] public_url is required")
    _check_urls({**endpoints, **({"issuer": issuer} if openid else {})}, guard)
    return Provider(
        name=name,
        record=record,
        settings=settings,
        client=_register_client(settings, record),
        redirect_uri=redirect_uri,
        openid=openid,
        issuer=issuer,
        endpoints=endpoints,
        algorithms=tuple(record.algorithms or ALGORITHMS),
    )


def _find_record(settings: ProviderSettings, folder: Path | None) -> ProviderRecord:
    if settings.provider:
        return find_record(settings.provider, folder).with_variables(settings.variables)
    claims = {} if settings.jwks_url or not settings.authorize_url else {"sub": "sub || id"}
    return ProviderRecord.model_validate({"title": "", "docs": "", "issuer": "", "claims": claims})


def _register_client(settings: ProviderSettings, record: ProviderRecord) -> ClientRegistration:
    """Collect what authenticates this host. Raises `ProviderMisconfigured`."""
    if not settings.client_id:
        raise ProviderMisconfigured("client_id is required")
    secret = _read_secret(settings.client_secret, settings.client_secret_file, "client_secret_file")
    key = _read_secret(settings.private_key, settings.private_key_file, "private_key_file")
    auth = settings.token_auth or record.token_auth or ("private_key_jwt" if key and not secret else "")
    if auth in {"private_key_jwt", "signed_secret"} and not key:
        raise ProviderMisconfigured("private_key or private_key_file is required")
    if auth in {*_SECRET_METHODS, ""} and not secret:
        raise ProviderMisconfigured(
            "client_secret or client_secret_file is required; for a public client, set token_auth = 'none'"
        )
    if auth == "signed_secret" and not settings.key_id:
        raise ProviderMisconfigured("key_id is required")
    return ClientRegistration(
        id=settings.client_id,
        auth=auth,
        secret=secret,
        private_key=key,
        key_id=settings.key_id,
        id_param=record.client_id_param,
        secret_param=record.client_secret_param,
        signed_secret=record.signed_secret,
    )


def _read_secret(given: SecretStr | None, file: Path | None, name: str) -> str | None:
    if given is not None and given.get_secret_value():
        return given.get_secret_value()
    if file is None:
        return None
    try:
        return file.read_text().strip() or None
    except OSError as error:
        raise ProviderMisconfigured(f"{name} cannot be read: {error.strerror}") from None


def _choose_secret_method(offered: Any) -> str:
    """Choose how to send the secret, as the provider offers; OpenID's default is `client_secret_basic`."""
    if isinstance(offered, list):
        return next((each for each in _SECRET_METHODS if each in offered), _SECRET_METHODS[0])
    return _SECRET_METHODS[0]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _check_urls(urls: Mapping[str, str], guard: AddressGuard) -> None:
    for name, url in urls.items():
        try:
            guard.check_url(url)
        except RequestBlocked as error:
            raise ProviderMisconfigured(f"{name}: {error}") from None
