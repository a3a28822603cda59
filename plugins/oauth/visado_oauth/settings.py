"""The settings of visado-oauth: the section `[oauth]`, with a table for each provider."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr, field_validator, model_validator

from visado import Seconds, Section

_CONFIG: Final = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
_STRATEGY_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_CHANGING_CLAIMS: Final = frozenset({"email", "mail", "upn", "preferred_username", "name", "nickname"})
_MIN_SECRET_BYTES: Final = 32

TokenAuth: TypeAlias = Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]
ResponseMode: TypeAlias = Literal["query", "form_post"]
LogoutStep: TypeAlias = Literal["revoke", "end_session"]


class Requirements(BaseModel):
    """Which users of a provider may log in. Each list that is not empty must contain the user's value."""

    model_config = _CONFIG
    hosted_domain: list[str] = Field([], description="Google Workspace domains: the claim hd.")
    tenant: list[str] = Field([], description="Microsoft Entra tenants: the claim tid.")
    email_domain: list[str] = Field([], description="Domains of e-mail addresses that the provider has verified.")


class ProviderSettings(BaseModel):
    """One provider, a strategy of the table's name."""

    model_config = _CONFIG
    title: str = Field("", description="The text of the login page's button; default: the title of the record.")
    icon: str = Field("", pattern=r"^(https://|data:image/|$)", description="An image for the button: https or data.")
    listed: bool = Field(True, description="Show the provider to strangers, in auth:getLoginForms.")
    provider: str | None = Field(None, description="A record of the catalogue: see visado oauth:providers.")
    variables: dict[str, str] = Field({}, description="Variables of the record's URLs, such as tenant or host.")
    issuer: str | None = Field(None, description="The issuer of an OpenID provider; its URLs are discovered.")
    authorize_url: str | None = Field(None, description="URL of the login page (authorization endpoint).")
    token_url: str | None = Field(None, description="URL that exchanges codes for tokens (token endpoint).")
    userinfo_url: str | None = Field(None, description="URL of the user's claims (UserInfo endpoint).")
    jwks_url: str | None = Field(None, description="URL of the provider's public keys.")
    revoke_url: str | None = Field(None, description="URL that revokes tokens (revocation endpoint).")
    end_session_url: str | None = Field(None, description="URL of the logout page (end session endpoint).")
    device_url: str | None = Field(None, description="URL that starts the device flow (device authorization endpoint).")
    client_id: str = Field("", description="The client id that the provider gave this host.")
    client_secret: SecretStr | None = Field(None, description="The client secret.")
    client_secret_file: Path | None = Field(None, description="A file with the client secret.")
    private_key: SecretStr | None = Field(None, description="A key (PEM or JWK) in place of the client secret.")
    private_key_file: Path | None = Field(None, description="A file with the key.")
    key_id: str | None = Field(None, description="The id of the key at the provider.")
    token_auth: TokenAuth | None = Field(None, description="How this host authenticates at the token endpoint.")
    scopes: list[str] | None = Field(None, description="Scopes of a login; default: those of the record.")
    params: dict[str, str] = Field({}, description="Additional parameters of the login page.")
    pkce: bool | None = Field(None, description="Use PKCE; false only for a provider that rejects it.")
    response_mode: ResponseMode = Field(
        "query", description="How the provider sends the user back: in the URL, or by a form that its page posts."
    )
    redirect_uri: str | None = Field(None, description="Redirect URI; default: public_url/_login/NAME.")
    redirect_uris: list[str] = Field([], description="Redirect URIs of applications that receive the code themselves.")
    identifier: str = Field("sub", description="The claim that identifies a user for ever. Never an e-mail address.")
    persist: list[str] = Field([], description="Claims to store in the credentials at each login, as JMESPaths.")
    attributes: dict[str, str] = Field({}, description="Claims to store under another name: JMESPath to name.")
    auto_create: bool = Field(
        True,
        description="Create a user at the first login of an identity without a user. [accounts.NAME] wins over it.",
    )
    default_profiles: list[str] = Field(
        ["default"], min_length=1, description="Profiles of new users. [accounts.NAME] profiles wins over it."
    )
    group_claim: str | None = Field(None, description="The claim with the user's groups, as JMESPath.")
    group_profiles: dict[str, list[str]] = Field({}, description="Profiles by group, granted anew at each login.")
    require: Requirements = Field(default_factory=lambda: Requirements.model_validate({}))
    return_to: list[str] = Field([], description="URLs that browsers may return to; one that ends with / is a prefix.")
    keep_refresh_token: bool = Field(True, description="Store the refresh token, encrypted, for auth:refreshToken.")
    logout: list[LogoutStep] = Field([], description="What a logout does at the provider: revoke, end_session.")
    after_logout: str | None = Field(None, description="URL to which the provider sends users after a logout.")

    @field_validator("identifier")
    @classmethod
    def _check_identifier(cls, value: str) -> str:
        if value in _CHANGING_CLAIMS:
            raise ValueError("choose a claim that never changes owner: e-mail addresses and names do")
        return value

    @model_validator(mode="after")
    def _check_provider_is_named(self) -> ProviderSettings:
        if not (self.provider or self.issuer or (self.authorize_url and self.token_url)):
            raise ValueError("provider, issuer, or authorize_url and token_url are required")
        return self


class OauthSection(Section):
    """Log in with OAuth 2 and OpenID Connect providers."""

    name: ClassVar[str] = "oauth"
    providers: dict[str, ProviderSettings] = Field({}, description="The providers by strategy name.")
    catalogue: Path | None = Field(None, description="A folder with your own records of providers: NAME.toml.")
    secret: SecretStr | None = Field(
        None, description="32 bytes or more, the same on every node; default: generated in the data folder."
    )
    http_on_loopback: bool = Field(False, description="Allow providers on this machine, also over http.")
    private_networks: list[IPvAnyNetwork] = Field([], description="Private networks where providers may be.")
    ca_file: Path | None = Field(None, description="Trusted CA certificates in place of the system's.")
    timeout: Seconds = Field(5, gt=0, le=30, description="Seconds for one response of a provider.")

    @field_validator("providers")
    @classmethod
    def _check_names(cls, value: dict[str, ProviderSettings]) -> dict[str, ProviderSettings]:
        for name in value:
            if not _STRATEGY_NAME.fullmatch(name):
                raise ValueError("a name has letters, digits, _ and -, at most 64")
        return value

    @field_validator("secret")
    @classmethod
    def _check_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < _MIN_SECRET_BYTES:
            raise ValueError(f"a secret needs {_MIN_SECRET_BYTES} bytes or more")
        return value
