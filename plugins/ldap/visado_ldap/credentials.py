"""Credentials and logins as clients send them, read with care: any JSON may stand where a name should."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

from visado import Fields
from visado_ldap import directory
from visado_ldap.dn import canonical
from visado_ldap.errors import BindDnForeign, CredentialsInvalid, Invalid, ProofRequired
from visado_ldap.lookup import Wanted
from visado_ldap.settings import Directory

LONGEST_USERNAME: Final = 256
LONGEST_PASSWORD: Final = 1024
_LONGEST_TEXT: Final = 4096
_NAMES: Final = ("username", "dn", "bindDN", "searchBase", "searchFilter", "password")


def username_of(value: Any) -> str | None:
    """A user name that a directory may be asked for; None where it is none."""
    if not isinstance(value, str) or len(value) > LONGEST_USERNAME or not value.strip():
        return None
    return value if _is_plain(value) else None


def password_of(value: Any) -> bytes | None:
    """The bytes of a password that may go to a directory; None where it may not.

    Neither an empty one, which a server takes for a wish to be nobody, nor one with a NUL, which a server may take
    for the end.
    """
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_PASSWORD or "\0" in value:
        return None
    try:
        return value.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return None


def login_of(fields: Fields) -> tuple[str | None, bytes | None] | None:
    """Read what a login sends: None where it is missing, and a part None where nobody can have it."""
    username, password = fields.get("username"), fields.get("password")
    if not all(isinstance(each, str) and each for each in (username, password)):
        return None
    return username_of(username), password_of(password)


@dataclass(frozen=True, slots=True)
class Given:
    """Credentials that name an entry: which one, the members to keep of them, and a password as proof."""

    wanted: Wanted
    kept: Fields
    password: bytes | None

    def __repr__(self) -> str:  # never the password
        return f"Given({self.wanted!r})"


def read(credentials: Any, section: Directory, *, own: bool) -> Given:
    """Read credentials; with `own`, those that a user wants for itself.

    Raises `CredentialsInvalid`, `BindDnForeign`, `ProofRequired`.
    """
    given = cast("Fields", credentials) if isinstance(credentials, dict) else {}
    texts = {name: _text(given, name) for name in _NAMES if given.get(name) is not None}
    if given.get("kuid"):
        raise CredentialsInvalid(rule="kuid cannot be specified")
    if "bindDN" in texts and not _same(texts["bindDN"], section.bind_dn):
        raise BindDnForeign
    wanted = _wanted(texts)
    password = password_of(texts.get("password"))
    if own and (not wanted.username or password is None):
        raise ProofRequired
    kept = {name: texts.get(name) for name in ("bindDN", "searchBase", "searchFilter")}
    return Given(wanted, kept, password)


def _wanted(texts: dict[str, str]) -> Wanted:
    """Read which entry is meant: one way of naming it, and no other beside it."""
    ways = [name for name in ("username", "dn", "searchFilter") if name in texts]
    if len(ways) != 1:
        raise CredentialsInvalid(rule="{username}, {dn}, or {searchBase, searchFilter}, and one of them")
    if "username" in texts:
        username = username_of(texts["username"])
        if username is None:
            raise CredentialsInvalid(rule=f"username is a text of at most {LONGEST_USERNAME} characters")
        return Wanted(username=username)
    try:
        if "dn" in texts:
            canonical(texts["dn"])
            return Wanted(dn=texts["dn"])
        base = texts.get("searchBase", "")
        if base:
            canonical(base)
        directory.check_filter(texts["searchFilter"])
    except Invalid as error:
        raise CredentialsInvalid(rule=str(error)) from None
    return Wanted(base=base, where=texts["searchFilter"])


def _text(given: Fields, name: str) -> str:
    value = given[name]
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT or not _is_plain(value):
        raise CredentialsInvalid(rule=f"{name} is a text")
    return value


def _is_plain(value: str) -> bool:
    return not any(char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in value)


def _same(dn: str, other: str) -> bool:
    try:
        return bool(other) and (dn == other or canonical(dn) == canonical(other))
    except Invalid:
        return False
