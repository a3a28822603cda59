"""The host's own settings, a section per room."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import ConfigDict, Field, SecretStr, field_validator

from visado.settings.durations import Lifetime, Milliseconds, Seconds
from visado.settings.loading import Section
from visado.settings.secret_files import SHORTEST_SECRET


class ServerSection(Section):
    """Where the host listens, where it keeps its data, and how the world calls it."""

    name: ClassVar[str] = "server"
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(7512, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    data: Path = Field(Path("visado-data"), description="Folder for the secret and the default storage.")
    public_url: str = Field("", description="The address that clients use, such as https://auth.example.com.")
    access_log: bool = Field(False, description="Write a line per request; it costs a fifth of the speed.")
    shutdown_timeout: Seconds = Field(10, gt=0, description="Seconds that requests in flight get to finish.")

    @field_validator("public_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("an address that starts with http:// or https://")
        return value.rstrip("/")


class HttpSection(Section):
    """Pages and cookies: which origins may do what."""

    name: ClassVar[str] = "http"
    allow_origins: list[str] = Field(["*"], description="Origins whose pages may call the API; * for all.")
    cookie_auth: bool = Field(True, description="Let clients ask for the token as an HttpOnly cookie.")
    cookie_origins: list[str] = Field(
        [], description="Origins beside the host's own whose pages may use the cookie. Never *."
    )

    @field_validator("cookie_origins")
    @classmethod
    def _names_origins(cls, value: list[str]) -> list[str]:
        if "*" in value:
            raise ValueError("name each origin: * would hand every page the cookies of its visitors")
        return value


class TokenSettings(Section):
    """Lifetimes of tokens."""

    name: ClassVar[str] = "token"
    expires_in: Lifetime = Field(3_600_000, description="Lifetime where the client asks for none.")
    max_ttl: Lifetime = Field(-1, description="The longest lifetime that a client may ask for; -1: any.")
    grace_period: Milliseconds = Field(1_000, ge=0, description="How long a refreshed token stays usable.")
    algorithm: Literal["HS256", "HS384", "HS512"] = Field("HS256", description="How tokens are signed.")
    secrets: list[SecretStr] = Field(
        [], description="Secrets of 32 bytes or more: all verify, the first signs. Empty: one is generated."
    )

    @field_validator("secrets")
    @classmethod
    def _long_enough(cls, value: list[SecretStr]) -> list[SecretStr]:
        if any(len(secret.get_secret_value().encode()) < SHORTEST_SECRET for secret in value):
            raise ValueError(f"a secret has {SHORTEST_SECRET} bytes or more")
        return value


class SecuritySection(Section):
    """How open the host is, and how long tokens live."""

    name: ClassVar[str] = "security"
    preset: Literal["compatible", "strict"] = Field(
        "compatible",
        description="compatible keeps the defaults of the wire contract; strict is for the world.",
    )
    open_bootstrap: bool = Field(
        False, description="Let other machines do everything, too, until there is an administrator."
    )
    restricted_profile_ids: list[str] = Field(
        ["default"], description="Profiles of users that createRestrictedUser makes."
    )
    api_key_max_ttl: Lifetime = Field(-1, description="The longest life of an API key; -1: any.")
    token: TokenSettings = Field(default_factory=lambda: TokenSettings.model_validate({}))


class LimitsSection(Section):
    """How much one client may ask for."""

    name: ClassVar[str] = "limits"
    request_size: int = Field(1_048_576, gt=0, description="Bytes of a body or a message, also when unpacked.")
    request_timeout: Seconds = Field(15, gt=0, description="Seconds for a client to send its request.")
    idle_timeout: Seconds = Field(60, ge=1, description="Seconds after which a silent socket is closed.")
    logins_per_second: int = Field(1, ge=1, description="Login attempts per second and socket.")
    messages_per_second: int = Field(0, ge=0, description="Messages per second and socket; 0: any number.")
    fetch_count: int = Field(10_000, gt=0, description="Documents in one page of a search.")
    write_count: int = Field(200, gt=0, description="Documents in one bulk deletion.")
    requests_in_flight: int = Field(2_000, gt=0, description="Requests served at once; more get 503.")


class RightsSection(Section):
    """What visado protects beside its own actions."""

    name: ClassVar[str] = "rights"
    resources: dict[str, list[str]] = Field(
        {}, description="Controllers of your applications and their actions: roles may grant them."
    )
    indexes: dict[str, list[str]] = Field(
        {}, description="Indexes of your applications and their collections, for restrictions with `strict`."
    )


class ThrottleSection(Section):
    """Slowing down who guesses passwords."""

    name: ClassVar[str] = "throttle"
    enabled: bool = Field(True, description="Reserved: the host does not throttle failed logins yet.")


class PluginsSection(Section):
    """Which plugins may, and which must, be there."""

    name: ClassVar[str] = "plugins"
    disabled: list[str] = Field([], description="Plugins that are not loaded, by entry point name.")
    required: list[str] = Field([], description="Plugins without which the host does not start.")
    longest_block: Seconds = Field(
        1, gt=0, le=60, description="Seconds that a plugin may hold up the whole host; then it is quarantined."
    )


class StorageSection(Section):
    """Where documents are kept."""

    name: ClassVar[str] = "storage"
    url: str = Field("tinydb:", description="tinydb:PATH; without a path, the data folder.")


class ChainSettings(Section):
    """Strategies that are tried one after the other."""

    name: ClassVar[str] = "chain.NAME"
    strategies: list[str] = Field(min_length=1, description="The strategies, in the order in which they are tried.")


class ChainSection(Section):
    """Chains: `[chain.everybody] strategies = ["ldap", "local"]` makes a strategy of that name."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)
    __pydantic_extra__: dict[str, ChainSettings] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]
    name: ClassVar[str] = "chain"

    @property
    def chains(self) -> dict[str, ChainSettings]:
        """The chains, by name."""
        return self.__pydantic_extra__ or {}


SECTIONS: tuple[type[Section], ...] = (
    ServerSection,
    HttpSection,
    SecuritySection,
    LimitsSection,
    RightsSection,
    ThrottleSection,
    PluginsSection,
    StorageSection,
    ChainSection,
)
