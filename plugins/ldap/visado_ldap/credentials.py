"""Logins and credentials: what clients send, in which any JSON may stand where a text should, and what is stored."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from visado import Fields
from visado_ldap import directory
from visado_ldap.errors import BindDnForeign, CredentialsInvalid, EntryPasswordRequired, InvalidValue
from visado_ldap.lookup.persons import EntryQuery
from visado_ldap.protocol.distinguished_names import canonical_dn
from visado_ldap.settings import DirectorySettings

MAX_USERNAME_CHARACTERS: Final = 256
MAX_PASSWORD_CHARACTERS: Final = 1024


class LoginForm(BaseModel):
    """The body of a login."""

    username: str = Field(title="User name", min_length=1, max_length=MAX_USERNAME_CHARACTERS)
    password: SecretStr = Field(title="Password", min_length=1, max_length=MAX_PASSWORD_CHARACTERS)


class EntryForm(BaseModel):
    """The credentials of a user: which entry is the user's. Users also send the password of the entry."""

    model_config = ConfigDict(populate_by_name=True)
    username: str | None = Field(None, title="User name of the entry", max_length=MAX_USERNAME_CHARACTERS)
    dn: str | None = Field(None, title="DN of the entry")
    bind_dn: str | None = Field(None, alias="bindDN", title="DN of the account that searches")
    search_base: str | None = Field(None, alias="searchBase", title="DN below which the entry is searched")
    search_filter: str | None = Field(None, alias="searchFilter", title="Filter that matches the entry alone")
    password: SecretStr | None = Field(
        None, title="Password of the entry, as proof that it is yours", max_length=MAX_PASSWORD_CHARACTERS
    )


StoredEntry: TypeAlias = Mapping[str, Any]
"""`{userId, username, dn, granted, gone, bindDN, searchBase, searchFilter}` under the stable id.

`granted` are the profiles that groups grant. `gone` means that the entry was missing and its tokens are revoked.
"""

_MAX_TEXT_CHARACTERS: Final = 4096
_TEXT_FIELDS: Final = ("username", "dn", "bindDN", "searchBase", "searchFilter", "password")
_STORED_FIELDS: Final = ("bindDN", "searchBase", "searchFilter")
_PUBLIC_FIELDS: Final = ("username", "dn", *_STORED_FIELDS)
_IGNORED_CATEGORIES: Final = frozenset({"Mn", "Cf"})
"""Accents, and characters without a shape: directories may ignore both."""


def read_username(value: Any) -> str | None:
    """Return a user name that may be sent to a directory, or None."""
    if not isinstance(value, str) or len(value) > MAX_USERNAME_CHARACTERS or not value.strip():
        return None
    return value if _is_plain(value) else None


def read_password(value: Any) -> bytes | None:
    """Return the bytes of a password that may be sent to a directory, or None.

    A server takes an empty password for an anonymous bind, and may take a NUL for the end of the password.
    """
    if not isinstance(value, str) or not 0 < len(value) <= MAX_PASSWORD_CHARACTERS or "\0" in value:
        return None
    try:
        return value.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return None


def read_login(fields: Fields) -> tuple[str | None, bytes | None] | None:
    """Return the user name and the password of a login, each None where no account can have it.

    Returns None where one of them is missing.
    """
    username, password = fields.get("username"), fields.get("password")
    if not all(isinstance(each, str) and each for each in (username, password)):
        return None
    return read_username(username), read_password(password)


def fold_username(username: str) -> str:
    """Return the one spelling of the user names that a directory may take for one another.

    Directories ignore case and further spaces; Active Directory ignores accents and the width of characters too.
    """
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", username).casefold())
    return " ".join("".join(each for each in plain if unicodedata.category(each) not in _IGNORED_CATEGORIES).split())


@dataclass(frozen=True, slots=True)
class EntryCredentials:
    """Credentials that name an entry: the query, the members to store, and a password as proof of ownership."""

    query: EntryQuery
    stored: Fields
    password: bytes | None

    def __repr__(self) -> str:  # never the password
        return f"EntryCredentials({self.query!r})"


def read_credentials(credentials: Any, settings: DirectorySettings, *, needs_proof: bool) -> EntryCredentials:
    """Read credentials. With `needs_proof`, they must hold the user name and password of the entry.

    Raises `CredentialsInvalid`, `BindDnForeign`, `EntryPasswordRequired`.
    """
    given = cast("Fields", credentials) if isinstance(credentials, dict) else {}
    texts = {name: _read_text(given, name) for name in _TEXT_FIELDS if given.get(name) is not None}
    if given.get("kuid"):
        raise CredentialsInvalid(rule="kuid cannot be specified")
    if "bindDN" in texts and not _is_same_dn(texts["bindDN"], settings.bind_dn):
        raise BindDnForeign
    query = _read_query(texts)
    password = read_password(texts.get("password"))
    if needs_proof and (not query.username or password is None):
        raise EntryPasswordRequired
    return EntryCredentials(query, {name: texts.get(name) for name in _STORED_FIELDS}, password)


def _read_query(texts: dict[str, str]) -> EntryQuery:
    """Read which entry is meant. Raises `CredentialsInvalid` unless it is named in exactly one way."""
    ways = [name for name in ("username", "dn", "searchFilter") if name in texts]
    if len(ways) != 1:
        raise CredentialsInvalid(rule="give exactly one of {username}, {dn} and {searchBase, searchFilter}")
    if "username" in texts:
        username = read_username(texts["username"])
        if username is None:
            raise CredentialsInvalid(rule=f"username must be a text of at most {MAX_USERNAME_CHARACTERS} characters")
        return EntryQuery(username=username)
    try:
        if "dn" in texts:
            canonical_dn(texts["dn"])
            return EntryQuery(dn=texts["dn"])
        base = texts.get("searchBase", "")
        if base:
            canonical_dn(base)
        directory.check_filter(texts["searchFilter"])
    except InvalidValue as error:
        raise CredentialsInvalid(rule=str(error)) from None
    return EntryQuery(base=base, where=texts["searchFilter"])


def public_fields(subject: str, stored: StoredEntry) -> Fields:
    """Return what clients see of stored credentials."""
    fields: Fields = {"id": subject, "kuid": stored["userId"]}
    return fields | {name: stored[name] for name in _PUBLIC_FIELDS if stored.get(name) is not None}


def _read_text(given: Fields, name: str) -> str:
    value = given[name]
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT_CHARACTERS or not _is_plain(value):
        raise CredentialsInvalid(rule=f"{name} must be a text")
    return value


def _is_plain(value: str) -> bool:
    """Return whether a text has neither control characters nor lone surrogates."""
    return not any(char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in value)


def _is_same_dn(dn: str, other: str) -> bool:
    try:
        return bool(other) and (dn == other or canonical_dn(dn) == canonical_dn(other))
    except InvalidValue:
        return False
