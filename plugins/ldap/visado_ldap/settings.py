"""The settings of directories: `[ldap.directories.<name>]`, a strategy each."""

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
from visado_ldap.entry import Endpoint
from visado_ldap.errors import Invalid
from visado_ldap.presets import IN_CHAIN, PRESETS

PLACE: Final = "{username}"
_PORTS: Final = {"ldap": 389, "ldaps": 636}
_ATTRIBUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9.-]*(;[A-Za-z0-9-]+)*")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _mapping(value: Any) -> Any:
    """Read `["cn", "mail"]` as `{"cn": "cn", "mail": "mail"}`."""
    if not isinstance(value, list):
        return value
    names = cast("list[object]", value)
    return {str(name): str(name) for name in names}


Urls = Annotated[list[str], BeforeValidator(_listed)]
Attributes = Annotated[dict[str, str], BeforeValidator(_mapping)]


class Directory(BaseModel):
    """One directory: the servers that hold it, and where its people and groups are."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    preset: Literal["openldap", "active-directory", "freeipa", "389"] = Field(
        "openldap", description="Kind of directory: fills in the filters, the stable id and the group rules."
    )
    url: Urls = Field(description="Address of the server (ldap, ldaps, ldapi), or a list in the order of trial.")
    start_tls: bool = Field(False, description="Go on in TLS (STARTTLS) on ldap:// addresses; without it, no login.")
    ca_file: Path | None = Field(None, description="Certificates of the authorities to trust; the system's if absent.")
    ca_dir: Path | None = Field(None, description="Folder of such certificates, as c_rehash makes it.")
    client_certificate: Path | None = Field(None, description="Certificate to show to the server.")
    client_key: Path | None = Field(None, description="Its key, where the certificate's file does not hold it.")
    client_key_password: SecretStr | None = Field(None, description="Password of the key.")
    allow_plaintext: bool = Field(False, description="Let passwords travel in the clear to another machine.")
    bind_dn: str = Field("", description="Account that looks for entries; empty: anonymous.")
    bind_password: SecretStr | None = Field(None, description="Its password.")
    bind_password_file: Path | None = Field(None, description="File with its password, read whenever it binds.")
    search_base: str = Field("", description="Where the entries of people are.")
    search_filter: str = Field("", description="Which of them logs in: {username} stands for the name, escaped.")
    search_scope: Literal["base", "one", "sub"] = Field("sub", description="How deep below the base they are.")
    user_dn_template: str = Field(
        "", description="Instead of searching: the DN to bind as, such as uid={username},ou=people,dc=example,dc=org."
    )
    username_attribute: str = Field("", description="Attribute with the name that credentials are shown under.")
    id_attribute: str = Field("", description="Attribute with the stable id of an entry: the account's key.")
    disabled_filter: str = Field("", description="Which entries may not log in ({filetime}: now, as Windows counts).")
    attributes: Attributes = Field(
        {}, description='Content of users that are created: { name = "cn", email = "mail" }.'
    )
    connect_timeout: Seconds = Field(5, gt=0, le=60, description="Seconds to reach one server.")
    timeout: Seconds = Field(5, gt=0, le=60, description="Seconds for a whole login on one server.")
    pool_size: int = Field(8, ge=1, le=64, description="Connections of the account that looks for entries, per server.")
    default_profiles: list[str] = Field(["default"], min_length=1, description="Profiles of users that are created.")
    auto_create: bool = Field(False, description="Make a user at the first login of an entry that belongs to nobody.")
    group_attribute: str = Field("memberOf", description="Attribute of an entry with the DNs of its groups.")
    group_search_base: str = Field("", description="Where groups are: search them instead of reading the attribute.")
    group_search_filter: str = Field("", description="Which of them an entry is in: {dn} and {username} stand for it.")
    nested_groups: bool = Field(False, description="Count groups of groups.")
    group_depth: int = Field(10, ge=1, le=50, description="How deep nested groups are followed.")
    group_in_chain: bool = Field(
        False, description="Let Active Directory follow nested groups itself: one search, and slow in large domains."
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
    def _fill_in(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        given = cast("Mapping[str, Any]", value)
        preset = given.get("preset", "openldap")
        known = PRESETS.get(preset) if isinstance(preset, str) else None
        return {**(known or {}), **given}

    @field_validator("url")
    @classmethod
    def _addresses(cls, value: list[str]) -> list[str]:
        if not value:
            raise ValueError("name at least one address")
        for each in value:
            _endpoint(each)
        return value

    @field_validator("search_filter", "group_search_filter", "disabled_filter")
    @classmethod
    def _filters(cls, value: str) -> str:
        value = value.replace("{{username}}", PLACE).replace("{{dn}}", "{dn}")
        sample = value
        for name in (PLACE, "{dn}", "{filetime}"):
            sample = sample.replace(name, "1")
        if value:
            from visado_ldap import directory

            try:
                directory.check_filter(sample)
            except Invalid as error:
                raise ValueError(f"no LDAP filter: {error}") from None
        return value

    @field_validator("attributes")
    @classmethod
    def _mapped(cls, value: dict[str, str]) -> dict[str, str]:
        for name, attribute in value.items():
            if name == "profileIds" or name.startswith("_"):
                raise ValueError(f"{name}: the host's own, choose another name")
            if not _ATTRIBUTE.fullmatch(attribute):
                raise ValueError(f"{name}: no name of an attribute")
        return value

    @field_validator("group_pattern")
    @classmethod
    def _pattern(cls, value: str) -> str:
        try:
            compiled = re.compile(value)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        if value and "profile" not in compiled.groupindex:
            raise ValueError("it names no profile: (?P<profile>…)")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Directory:
        self._check_transport()
        self._check_account()
        if not self.search_base and not self.user_dn_template:
            raise ValueError("search_base, or user_dn_template, is needed")
        if self.user_dn_template and not (PLACE in self.user_dn_template and "=" in self.user_dn_template):
            raise ValueError("user_dn_template is a DN with {username} in it")
        if self.search_base and PLACE not in self.search_filter:
            raise ValueError("search_filter must hold {username}")
        if self.group_in_chain and not self.group_search_base:
            raise ValueError("group_in_chain needs a group_search_base")
        return self

    def _check_transport(self) -> None:
        for each in self.endpoints:
            if self.start_tls and each.secure:
                raise ValueError("start_tls is for ldap:// addresses")
            plain = not (each.secure or each.path or self.start_tls)
            if plain and not self.allow_plaintext and not _is_loopback(each.host):
                raise ValueError(
                    f"{each.url}: passwords would travel in the clear; use ldaps://, start_tls, or allow_plaintext"
                )
        try:
            self.tls()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise ValueError(f"the certificates cannot be read: {error}") from None

    def _check_account(self) -> None:
        if self.bind_password is not None and self.bind_password_file is not None:
            raise ValueError("bind_password and bind_password_file: one of them")
        try:
            if self.bind_dn and not self.password():
                raise ValueError("bind_dn needs a bind_password: without one, a directory lets anybody in as nobody")
        except OSError as error:
            raise ValueError(f"bind_password_file cannot be read: {error.strerror}") from None

    @property
    def endpoints(self) -> list[Endpoint]:
        """The servers, in the order of trial."""
        return [_endpoint(each) for each in self.url]

    def tls(self) -> ssl.SSLContext:
        """Make what TLS needs: certificates and names are verified, whatever else."""
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

    def password(self) -> bytes:
        """Read the password of the account that looks for entries. Raises `OSError`."""
        if self.bind_password_file is not None:
            return self.bind_password_file.read_bytes().rstrip(b"\r\n")
        return self.bind_password.get_secret_value().encode() if self.bind_password is not None else b""

    @property
    def wants_groups(self) -> bool:
        """Whether groups mean anything here."""
        return bool(self.group_profiles or self.group_pattern)

    @property
    def chain_filter(self) -> str:
        """The filter that finds groups of groups in one search."""
        return IN_CHAIN


class LdapSection(Section):
    """Directories to log in against, each a strategy of its name."""

    name: ClassVar[str] = "ldap"
    directories: dict[str, Directory] = Field({}, description="Directories by strategy name; the usual one is ldap.")

    @field_validator("directories")
    @classmethod
    def _named(cls, value: dict[str, Directory]) -> dict[str, Directory]:
        for name in value:
            if not _NAME.fullmatch(name) or name == "local":
                raise ValueError(f"{name}: a strategy is named by letters, digits, - and _, and not local")
        return value


def _endpoint(url: str) -> Endpoint:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{_without_user(url)}: {error}") from None
    if parts.scheme == "ldapi":
        path = unquote(parts.netloc)
        if not path:
            raise ValueError(f"{_without_user(url)}: name the socket, such as ldapi://%2Frun%2Fslapd%2Fldapi")
        return Endpoint(url, "localhost", 0, path)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query or "@" in parts.netloc:
        raise ValueError(f"{_without_user(url)}: an address is ldap://host, ldaps://host:port or ldapi://%2Fpath")
    return Endpoint(url, parts.hostname, port or _PORTS[parts.scheme], secure=parts.scheme == "ldaps")


def _without_user(url: str) -> str:
    """Name an address that is none; what stands before an @ may be a password."""
    return url.rpartition("@")[2]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
