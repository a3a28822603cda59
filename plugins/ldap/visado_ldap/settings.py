"""The settings of visado-ldap: a table `[ldap.directories.<name>]` for each directory."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, cast
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from visado import Seconds, Section
from visado_ldap.errors import InvalidValue
from visado_ldap.presets import IN_CHAIN_FILTER, PRESETS
from visado_ldap.protocol.entries import ServerAddress

USERNAME: Final = "{username}"
MEMBER_DN: Final = "{dn}"
FILETIME: Final = "{filetime}"
_PORTS: Final = {"ldap": 389, "ldaps": 636}
_ATTRIBUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9.-]*(;[A-Za-z0-9-]+)*")
_STRATEGY_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def _read_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _read_attributes(value: Any) -> Any:
    """Read `["cn", "mail"]` as `{"cn": "cn", "mail": "mail"}`."""
    if not isinstance(value, list):
        return value
    names = cast("list[object]", value)
    return {str(name): str(name) for name in names}


Urls = Annotated[list[str], BeforeValidator(_read_list)]
Attributes = Annotated[dict[str, str], BeforeValidator(_read_attributes)]


class DirectorySettings(BaseModel):
    """One directory: its servers, and where its users and groups are."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    preset: Literal["openldap", "active-directory", "freeipa", "389"] = Field(
        "openldap", description="Product: sets the filters, the stable id and the group rules."
    )
    title: str = Field("", description="Text of a login page's heading; default: the name of the strategy.")
    icon: str = Field("", pattern=r"^(https://|data:image/|$)", description="Image for a login page: https or data.")
    listed: bool = Field(True, description="Show the directory to strangers, in auth:getLoginForms.")
    url: Urls = Field(description="Address of the server (ldap, ldaps, ldapi), or a list in the order of failover.")
    start_tls: bool = Field(False, description="Use STARTTLS on ldap:// addresses; no login if the server refuses it.")
    ca_file: Path | None = Field(None, description="File with trusted CA certificates; default: the system's.")
    ca_dir: Path | None = Field(None, description="Folder with trusted CA certificates, hashed by c_rehash.")
    client_certificate: Path | None = Field(None, description="Certificate that visado presents to the server.")
    client_key: Path | None = Field(None, description="Key of the client certificate; default: in the same file.")
    client_key_password: SecretStr | None = Field(None, description="Password of the client key.")
    allow_plaintext: bool = Field(False, description="Allow passwords to cross the network without TLS.")
    bind_dn: str = Field("", description="DN of the account that searches; empty: anonymous.")
    bind_password: SecretStr | None = Field(None, description="Password of the account that searches.")
    bind_password_file: Path | None = Field(None, description="File with that password, read at each bind.")
    search_base: str = Field("", description="DN below which users are searched.")
    search_filter: str = Field("", description="Filter for a login; {username} stands for the escaped login name.")
    search_scope: Literal["base", "one", "sub"] = Field("sub", description="Depth of the search below the base.")
    user_dn_template: str = Field(
        "", description="DN to bind as without a search, such as uid={username},ou=people,dc=example,dc=org."
    )
    username_attribute: str = Field("", description="Attribute with the user name that credentials show.")
    id_attribute: str = Field("", description="Attribute with the stable id of an entry, which identifies the user.")
    disabled_filter: str = Field("", description="Filter for entries that may not log in; {filetime} is now.")
    attributes: Attributes = Field(
        {},
        description='Content of new users: { name = "cn", email = "mail" } copies two attributes. '
        "[accounts.NAME] content and require name these members.",
    )
    connect_timeout: Seconds = Field(5, gt=0, le=60, description="Seconds to connect to one server.")
    timeout: Seconds = Field(5, gt=0, le=60, description="Seconds for a whole login on one server.")
    pool_size: int = Field(8, ge=1, le=64, description="Connections of the account that searches, per server.")
    default_profiles: list[str] = Field(
        ["default"], min_length=1, description="Profiles of new users. [accounts.NAME] profiles wins over it."
    )
    auto_create: bool = Field(
        False,
        description="Create a user at the first login of an entry without one. [accounts.NAME] auto_create wins.",
    )
    group_attribute: str = Field("memberOf", description="Attribute of an entry with the DNs of its groups.")
    group_search_base: str = Field("", description="DN below which groups are searched, instead of the attribute.")
    group_search_filter: str = Field(
        "", description="Filter for the groups of an entry; {dn} and {username} stand for the entry."
    )
    nested_groups: bool = Field(False, description="Include groups of groups.")
    group_depth: int = Field(10, ge=1, le=50, description="Levels of nested groups to follow.")
    group_in_chain: bool = Field(
        False, description="Let Active Directory follow nested groups in one search, which is slow in large domains."
    )
    group_profiles: dict[str, list[str]] = Field({}, description="Profiles that a group grants, by the group's DN.")
    group_pattern: str = Field(
        "", description="Regular expression for the whole DN of a group; its group (?P<profile>…) names a profile."
    )
    refresh_interval: Seconds = Field(
        300, ge=0, le=86_400, description="Seconds between re-checks of all users' entries and groups; 0: never."
    )

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        given = cast("Mapping[str, Any]", value)
        name = given.get("preset", "openldap")
        preset = PRESETS.get(name) if isinstance(name, str) else None
        return {**(preset or {}), **given}

    @field_validator("url")
    @classmethod
    def _check_urls(cls, value: list[str]) -> list[str]:
        if not value:
            raise ValueError("give at least one address")
        for each in value:
            _read_url(each)
        return value

    @field_validator("search_filter", "group_search_filter", "disabled_filter")
    @classmethod
    def _check_filter(cls, value: str) -> str:
        value = value.replace("{{username}}", USERNAME).replace("{{dn}}", MEMBER_DN)
        sample = value
        for placeholder in (USERNAME, MEMBER_DN, FILETIME):
            sample = sample.replace(placeholder, "1")
        if value:
            from visado_ldap import directory  # imports ldap3, which a host without directories does not need

            try:
                directory.check_filter(sample)
            except InvalidValue as error:
                raise ValueError(f"not an LDAP filter: {error}") from None
        return value

    @field_validator("attributes")
    @classmethod
    def _check_attributes(cls, value: dict[str, str]) -> dict[str, str]:
        for name, attribute in value.items():
            if name == "profileIds" or name.startswith("_"):
                raise ValueError(f"{name}: reserved for the host, choose another name")
            if not _ATTRIBUTE.fullmatch(attribute):
                raise ValueError(f"{name}: not the name of an attribute")
        return value

    @field_validator("group_pattern")
    @classmethod
    def _check_pattern(cls, value: str) -> str:
        try:
            compiled = re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        if value and "profile" not in compiled.groupindex:
            raise ValueError("the pattern needs a group (?P<profile>…)")
        return value

    @model_validator(mode="after")
    def _check_combination(self) -> DirectorySettings:
        self._check_transport()
        self._check_account()
        if not self.search_base and not self.user_dn_template:
            raise ValueError("search_base or user_dn_template is required")
        if self.user_dn_template and not (USERNAME in self.user_dn_template and "=" in self.user_dn_template):
            raise ValueError("user_dn_template must be a DN with {username} in it")
        if self.search_base and USERNAME not in self.search_filter:
            raise ValueError("search_filter must contain {username}")
        if self.group_in_chain and not self.group_search_base:
            raise ValueError("group_in_chain needs a group_search_base")
        return self

    def _check_transport(self) -> None:
        for each in self.servers:
            if self.start_tls and each.secure:
                raise ValueError("start_tls applies to ldap:// addresses only")
            plain = not (each.secure or each.path or self.start_tls)
            if plain and not self.allow_plaintext and not _is_loopback(each.host):
                raise ValueError(
                    f"{each.url}: passwords would be sent in the clear; use ldaps://, start_tls or allow_plaintext"
                )
        try:
            self.tls_context()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise ValueError(f"the certificates cannot be read: {error}") from None

    def _check_account(self) -> None:
        if self.bind_password is not None and self.bind_password_file is not None:
            raise ValueError("give bind_password or bind_password_file, not both")
        try:
            if self.bind_dn and not self.read_bind_password():
                raise ValueError("bind_dn needs a bind_password: a bind without a password is anonymous")
        except OSError as error:
            raise ValueError(f"bind_password_file cannot be read: {error.strerror}") from None

    @property
    def servers(self) -> list[ServerAddress]:
        """The addresses of the servers, in the order of failover."""
        return [_read_url(each) for each in self.url]

    def tls_context(self) -> ssl.SSLContext:
        """Return the context of TLS connections, which always verifies certificates and host names.

        Raises `OSError` or `ValueError` where a file cannot be read.
        """
        context = ssl.create_default_context(
            cafile=str(self.ca_file) if self.ca_file else None, capath=str(self.ca_dir) if self.ca_dir else None
        )
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.client_certificate is not None:
            secret = self.client_key_password
            context.load_cert_chain(
                self.client_certificate, self.client_key, secret.get_secret_value() if secret is not None else ""
            )
        return context

    def read_bind_password(self) -> bytes:
        """Return the password of the account that searches; empty without one. Raises `OSError`."""
        if self.bind_password_file is not None:
            return self.bind_password_file.read_bytes().rstrip(b"\r\n")
        return self.bind_password.get_secret_value().encode() if self.bind_password is not None else b""

    @property
    def uses_groups(self) -> bool:
        """Whether groups grant profiles."""
        return bool(self.group_profiles or self.group_pattern)

    @property
    def chain_filter(self) -> str:
        """The filter for all groups of an entry, nested ones included, in one search of Active Directory."""
        return IN_CHAIN_FILTER


class LdapSection(Section):
    """Directories to log in against, each a strategy of the table's name."""

    name: ClassVar[str] = "ldap"
    directories: dict[str, DirectorySettings] = Field(
        {}, description="Directories by strategy name; the usual name is ldap."
    )

    @field_validator("directories")
    @classmethod
    def _check_names(cls, value: dict[str, DirectorySettings]) -> dict[str, DirectorySettings]:
        for name in value:
            if not _STRATEGY_NAME.fullmatch(name) or name == "local":
                raise ValueError(f"{name}: a strategy's name has letters, digits, - and _, and is not local")
        return value


def _read_url(url: str) -> ServerAddress:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{_without_user(url)}: {error}") from None
    if parts.scheme == "ldapi":
        path = unquote(parts.netloc)
        if not path:
            raise ValueError(f"{_without_user(url)}: give the socket's path, such as ldapi://%2Frun%2Fslapd%2Fldapi")
        return ServerAddress(url, "localhost", 0, path)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query or "@" in parts.netloc:
        raise ValueError(f"{_without_user(url)}: use ldap://host, ldaps://host:port or ldapi://%2Fpath")
    return ServerAddress(url, parts.hostname, port or _PORTS[parts.scheme], secure=parts.scheme == "ldaps")


def _without_user(url: str) -> str:
    """Return an invalid address without the part before an @, which may be a password."""
    return url.rpartition("@")[2]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
