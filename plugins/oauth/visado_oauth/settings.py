"""The settings of visado-oauth: `[oauth]`, and a table per provider in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr, field_validator, model_validator

from visado import Seconds, Section

_CONFIG: Final = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SHORTEST_SECRET: Final = 32

TokenAuth = Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]
LogoutStep = Literal["revoke", "end_session"]


class Requirements(BaseModel):
    """Whom a provider may let in. Every list that is not empty must hold the user's."""

    model_config = _CONFIG
    hosted_domain: list[str] = Field([], description="Google Workspace domains: the claim hd.")
    tenant: list[str] = Field([], description="Microsoft Entra tenants: the claim tid.")
    email_domain: list[str] = Field([], description="Domains of an e-mail address that the provider has verified.")


class ProviderSettings(BaseModel):
    """One provider: a strategy of the table's name."""

    model_config = _CONFIG
    provider: str | None = Field(None, description="A record of the catalogue: see visado oauth:providers.")
    variables: dict[str, str] = Field({}, description="What the record's addresses leave open: tenant, host...")
    issuer: str | None = Field(None, description="An OpenID provider, by its issuer: the rest is discovered.")
    authorize_url: str | None = Field(None, description="Where users log in.")
    token_url: str | None = Field(None, description="Where codes are exchanged.")
    userinfo_url: str | None = Field(None, description="Where the profile is asked for.")
    jwks_url: str | None = Field(None, description="The provider's keys.")
    revoke_url: str | None = Field(None, description="Where tokens are revoked.")
    end_session_url: str | None = Field(None, description="Where users log out.")
    device_url: str | None = Field(None, description="Where the device flow begins.")
    client_id: str = Field("", description="What the provider calls this host.")
    client_secret: SecretStr | None = Field(None, description="The secret that goes with it.")
    client_secret_file: Path | None = Field(None, description="A file that holds the secret.")
    private_key: SecretStr | None = Field(None, description="A key (PEM or JWK) in place of a secret.")
    private_key_file: Path | None = Field(None, description="A file that holds the key.")
    key_id: str | None = Field(None, description="The key's id at the provider.")
    token_auth: TokenAuth | None = Field(None, description="How this host shows the provider who it is.")
    scopes: list[str] | None = Field(None, description="What is asked for; by default what the record says.")
    params: dict[str, str] = Field({}, description="Further parameters of the provider's login address.")
    pkce: bool | None = Field(None, description="Send PKCE; switch off only for a provider that refuses it.")
    redirect_uri: str | None = Field(None, description="Where the provider sends users back; public_url/_login/NAME.")
    redirect_uris: list[str] = Field([], description="More of them, for applications that receive the code themselves.")
    identifier: str = Field("sub", description="The claim that identifies a user for ever. Never an e-mail address.")
    persist: list[str] = Field([], description="Claims to keep in the credentials, by path.")
    attributes: dict[str, str] = Field({}, description="Claims to keep under another name: path to name.")
    auto_create: bool = Field(True, description="Make a user for an identity that nobody has.")
    default_profiles: list[str] = Field(["default"], min_length=1, description="Profiles of users that are made.")
    group_claim: str | None = Field(None, description="The claim that lists the user's groups, by path.")
    group_profiles: dict[str, list[str]] = Field({}, description="Profiles by group, set anew at every login.")
    require: Requirements = Field(default_factory=lambda: Requirements.model_validate({}))
    return_to: list[str] = Field([], description="Addresses to which browsers may be sent; a / at the end: and below.")
    keep_refresh_token: bool = Field(True, description="Keep a refresh token, encrypted, for auth:refreshToken.")
    logout: list[LogoutStep] = Field([], description="What a logout does at the provider: revoke, end_session.")
    after_logout: str | None = Field(None, description="Where the provider sends users who have logged out.")

    @field_validator("identifier")
    @classmethod
    def _lasts(cls, value: str) -> str:
        if value in {"email", "mail", "upn", "preferred_username", "name", "nickname"}:
            raise ValueError("a claim that never changes hands: e-mail addresses and names do")
        return value

    @model_validator(mode="after")
    def _says_where(self) -> ProviderSettings:
        if not (self.provider or self.issuer or (self.authorize_url and self.token_url)):
            raise ValueError("provider, issuer, or authorize_url and token_url")
        return self


class OauthSection(Section):
    """Log in with OAuth 2 and OpenID Connect providers."""

    name: ClassVar[str] = "oauth"
    providers: dict[str, ProviderSettings] = Field({}, description="The providers, by the name of their strategy.")
    catalogue: Path | None = Field(None, description="A folder with records of your own: NAME.toml.")
    secret: SecretStr | None = Field(
        None, description="32 bytes or more, the same on every node; by default one is made in the data folder."
    )
    http_on_loopback: bool = Field(False, description="Let providers on this machine be asked, also over http.")
    private_networks: list[IPvAnyNetwork] = Field([], description="Private networks where providers may be.")
    ca_file: Path | None = Field(None, description="Certificates to trust in place of the system's.")
    timeout: Seconds = Field(5, gt=0, le=30, description="Seconds that a provider gets for one answer.")

    @field_validator("providers")
    @classmethod
    def _have_names(cls, value: dict[str, ProviderSettings]) -> dict[str, ProviderSettings]:
        for name in value:
            if not _NAME.fullmatch(name):
                raise ValueError("a name has letters, digits, _ and -, at most 64")
        return value

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < _SHORTEST_SECRET:
            raise ValueError(f"a secret has {_SHORTEST_SECRET} bytes or more")
        return value
