"""What a provider says of a user: merged, mapped, and weighed. Pure; the one module that touches JMESPath."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import jmespath
import jmespath.exceptions
from jmespath.parser import ParsedResult

from visado_oauth.values import is_list

Claims = Mapping[str, Any]

_PROTOCOL: Final = frozenset({"iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "at_hash", "c_hash", "sid", "jti"})
_LONGEST: Final = 255
_MOST: Final = 2**64
_MOST_GROUPS: Final = 1_000


def compile_path(path: str) -> ParsedResult:
    """Read a JMESPath. Raises `ValueError`."""
    try:
        return jmespath.compile(path)
    except jmespath.exceptions.JMESPathError:
        raise ValueError(f"{path!r} is no JMESPath") from None


def look(path: str, document: Claims) -> Any:
    """Find what a path leads to; None where that is nothing, or does not fit."""
    try:
        return compile_path(path).search(document)  # pyright: ignore[reportUnknownMemberType]
    except jmespath.exceptions.JMESPathError:
        return None


def merge(id_token: Claims, userinfo: Claims) -> dict[str, Any]:
    """Join ID token and UserInfo: what is signed wins, and UserInfo adds only what is absent.

    An address and the word that it is verified come from one source: else UserInfo could vouch for an address
    of which it said nothing.
    """
    added = {name: value for name, value in userinfo.items() if name not in _PROTOCOL and name not in id_token}
    if "email" in id_token:
        added.pop("email_verified", None)
    return {**added, **id_token} if "email" not in added else {**id_token, **added, **_verified(userinfo)}


def _verified(userinfo: Claims) -> dict[str, Any]:
    return {"email_verified": userinfo.get("email_verified")}


def mapped(document: Claims, paths: Mapping[str, str]) -> dict[str, Any]:
    """Add the claims that a record finds by its paths; one that finds nothing stays absent."""
    found = {name: look(path, document) for name, path in paths.items()}
    rest = {name: value for name, value in document.items() if name not in paths}
    return {**rest, **{name: value for name, value in found.items() if value is not None}}


def identifier(claims: Claims, name: str) -> str | None:
    """Read the claim that identifies a user: a text, or a number as text. Case and spelling stay."""
    value = look(name, claims)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MOST:
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST or value != value.strip():
        return None
    return value if value.isprintable() else None


def email(claims: Claims, trust: Literal["claim", "always", "never"]) -> tuple[str, bool] | None:
    """Read the e-mail address in its one normal form, and whether its owner is proved.

    Full-width and other twins of a character become the character before anything is compared.
    """
    value = claims.get("email")
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    address = unicodedata.normalize("NFKC", value).casefold().strip()
    user, at, domain = address.partition("@")
    if not at or not user or not domain or "@" in domain or not address.isprintable() or " " in address:
        return None
    verified = trust == "always" or (trust == "claim" and claims.get("email_verified") is True)
    return address, verified


def domain_of(address: str) -> str:
    """Spell the domain of a normalised address as settings do, or as DNS does."""
    domain = address.partition("@")[2].rstrip(".")
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain


def kept(claims: Claims, persist: Sequence[str], attributes: Mapping[str, str]) -> dict[str, Any]:
    """Choose what goes to the credentials: paths under their own name, or under another."""
    paths = {**{path: path for path in persist}, **attributes}
    found = {name: look(path, claims) for path, name in paths.items()}
    return {name: value for name, value in found.items() if value is not None}


def groups(claims: Claims, path: str) -> list[str]:
    """Read the groups of a user."""
    value = look(path, claims)
    if isinstance(value, str):
        return [value]
    listed = value[:_MOST_GROUPS] if is_list(value) else []
    return [each for each in listed if isinstance(each, str)]
