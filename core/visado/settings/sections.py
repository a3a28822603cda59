"""The host's own sections of settings."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, field_validator

from visado.settings.durations import Lifetime, Milliseconds, Seconds
from visado.settings.loading import Section
from visado.settings.secret_files import MIN_SECRET_BYTES


def _check_proxy(value: str) -> str:
    if value != "unix":
        try:
            ipaddress.ip_network(value)
        except ValueError:
            raise ValueError("expected an address, a network such as 10.0.0.0/8, or unix") from None
    return value


class ServerSection(Section):
    """The address of the host, and its data folder."""

    name: ClassVar[str] = "server"
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(7512, ge=0, le=65535, description="The port to listen on; 0 for any free port.")
    data: Path = Field(
        Path("visado-data"), description="The folder of the generated secrets and of the default storage."
    )
    public_url: str = Field("", description="The URL that clients use, such as https://auth.example.com.")
    trusted_proxies: list[Annotated[str, AfterValidator(_check_proxy)]] = Field(
        [],
        description="The proxies whose headers X-Forwarded-For, -Proto and -Host, and Forwarded, count: addresses, "
        "networks such as 10.0.0.0/8, and unix for a Unix socket.",
    )
    access_log: bool = Field(False, description="Log a line per request. This makes the host about a fifth slower.")
    shutdown_timeout: Seconds = Field(10, gt=0, description="How long a stopping host waits for requests in flight.")

    @field_validator("public_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("expected a URL that starts with http:// or https://")
        return value.rstrip("/")


class HttpSection(Section):
    """Origins of web pages, and cookies."""

    name: ClassVar[str] = "http"
    allow_origins: list[str] = Field(["*"], description="The origins whose pages may call the API; * for all.")
    cookie_auth: bool = Field(True, description="Allow clients to request the token as an HttpOnly cookie.")
    cookie_origins: list[str] = Field(
        [], description="The origins, besides the host's own, whose pages may use the cookie; never *."
    )

    @field_validator("cookie_origins")
    @classmethod
    def _check_origins(cls, value: list[str]) -> list[str]:
        if "*" in value:
            raise ValueError("name each origin: with *, every page could use the cookies of its visitors")
        return value


class TokenSettings(Section):
    """Lifetimes and signatures of tokens."""

    name: ClassVar[str] = "token"
    expires_in: Lifetime = Field(3_600_000, description="The lifetime of a token for which the client requests none.")
    max_ttl: Lifetime = Field(-1, description="The longest lifetime that a client may request; -1 for any.")
    grace_period: Milliseconds = Field(1_000, ge=0, description="How long a token stays valid after it was refreshed.")
    algorithm: Literal["HS256", "HS384", "HS512"] = Field("HS256", description="The algorithm of the signatures.")
    secrets: list[SecretStr] = Field(
        [], description="Secrets of 32 bytes or more. The first signs, all verify. Without any, the host generates one."
    )

    @field_validator("secrets")
    @classmethod
    def _check_length(cls, value: list[SecretStr]) -> list[SecretStr]:
        if any(len(secret.get_secret_value().encode()) < MIN_SECRET_BYTES for secret in value):
            raise ValueError(f"expected secrets of {MIN_SECRET_BYTES} bytes or more")
        return value


class SecuritySection(Section):
    """Security presets, the first start, and API keys."""

    name: ClassVar[str] = "security"
    preset: Literal["compatible", "strict"] = Field(
        "compatible",
        description="compatible has the defaults of the wire contract; strict has safe defaults, for public networks.",
    )
    open_bootstrap: bool = Field(
        False,
        description="Allow every action to requests from other machines, too, until the host has an administrator.",
    )
    impersonation: Literal["within-actor", "full"] = Field(
        "within-actor",
        description="Rights of a user who acts as another: those that both have, or all that the other has.",
    )
    closed_actions: list[str] = Field(
        [], description="Actions that plugins open to every client, and that need a right nevertheless."
    )
    restricted_profile_ids: list[str] = Field(
        ["default"], description="The profiles of users that security:createRestrictedUser creates."
    )
    api_key_max_ttl: Lifetime = Field(
        -1, description="The longest lifetime of an API key that a user creates for itself; -1 for any."
    )
    token: TokenSettings = Field(default_factory=lambda: TokenSettings.model_validate({}))


class LimitsSection(Section):
    """Limits on requests and connections."""

    name: ClassVar[str] = "limits"
    request_size: int = Field(
        1_048_576, gt=0, description="Bytes of a body or a message, before and after decompression."
    )
    request_timeout: Seconds = Field(15, gt=0, description="How long a client may take to send a request.")
    idle_timeout: Seconds = Field(
        60, ge=1, description="How long a WebSocket connection may be silent before it is closed."
    )
    logins_per_second: int = Field(1, ge=1, description="Login attempts per second and WebSocket connection.")
    messages_per_second: int = Field(
        0, ge=0, description="Messages per second and WebSocket connection; 0 for any number."
    )
    fetch_count: int = Field(10_000, gt=0, description="Documents in one page of search results.")
    write_count: int = Field(200, gt=0, description="Documents that one request may delete.")
    requests_in_flight: int = Field(
        2_000, gt=0, description="Requests processed at once. Further requests receive the status 503."
    )


class RightsSection(Section):
    """Actions and data of your applications that roles and profiles may refer to."""

    name: ClassVar[str] = "rights"
    resources: dict[str, list[str]] = Field(
        {}, description="The actions of your applications, by controller. Roles may allow them."
    )
    indexes: dict[str, list[str]] = Field(
        {}, description="The collections of your applications, by index. Strict restrictions may name them."
    )


class ThrottleSection(Section):
    """Throttling of failed logins, which is not implemented yet."""

    name: ClassVar[str] = "throttle"
    enabled: bool = Field(False, description="Has no effect: the host does not throttle failed logins yet.")


class PluginsSection(Section):
    """Plugins that are disabled or required, and their time limit."""

    name: ClassVar[str] = "plugins"
    disabled: list[str] = Field([], description="The names of plugins that are not loaded.")
    required: list[str] = Field([], description="The names of plugins without which the host does not start.")
    longest_block: Seconds = Field(
        1, gt=0, le=60, description="How long a plugin may block the host before it is quarantined."
    )


class StorageSection(Section):
    """The storage of documents."""

    name: ClassVar[str] = "storage"
    url: str = Field("tinydb:", description="tinydb:PATH, a folder; without a path, the data folder.")


class ChainSettings(Section):
    """A strategy that tries others, one after the other."""

    name: ClassVar[str] = "chain.NAME"
    strategies: list[str] = Field(
        min_length=1, description="The names of the strategies, in the order in which they are tried."
    )


class ChainSection(Section):
    """Chains of strategies: `[chain.everybody] strategies = ["ldap", "local"]` adds the strategy `everybody`."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)
    __pydantic_extra__: dict[str, ChainSettings] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]
    name: ClassVar[str] = "chain"

    @property
    def chains(self) -> dict[str, ChainSettings]:
        """The chains by name."""
        return self.__pydantic_extra__ or {}


class AccountSettings(Section):
    """What the host does with the identities of a strategy. What is not set is as the strategy wants it."""

    name: ClassVar[str] = "accounts.NAME"
    auto_create: bool | None = Field(None, description="Create a user at the first login of an identity without one.")
    profiles: list[str] | None = Field(None, min_length=1, description="The profiles of new users.")
    content: dict[str, str] | None = Field(
        None, description="The content of new users: members of it, and the members of the profile to copy there."
    )
    require: dict[str, list[str | int | bool]] | None = Field(
        None, description="Members of the profile, and the values of which each must have one."
    )


class AccountsSection(Section):
    """Identities and their users, by strategy: `[accounts.saml] auto_create = true`."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)
    __pydantic_extra__: dict[str, AccountSettings] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]
    name: ClassVar[str] = "accounts"

    @property
    def names(self) -> frozenset[str]:
        """The names of the strategies that have a table."""
        return frozenset(self.__pydantic_extra__ or {})

    def of(self, strategy: str) -> AccountSettings | None:
        """Return the settings of a strategy's identities, or None."""
        return (self.__pydantic_extra__ or {}).get(strategy)


SECTIONS: Final[tuple[type[Section], ...]] = (
    ServerSection,
    HttpSection,
    SecuritySection,
    LimitsSection,
    RightsSection,
    ThrottleSection,
    PluginsSection,
    StorageSection,
    ChainSection,
    AccountsSection,
)
"""Every section of the host."""
