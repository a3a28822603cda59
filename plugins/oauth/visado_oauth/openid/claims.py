"""Claims about a user: merged, mapped and checked, without I/O. The one module that uses JMESPath."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import jmespath
import jmespath.exceptions
from jmespath.parser import ParsedResult

from visado_oauth.openid.json_values import is_list

UserClaims: TypeAlias = Mapping[str, Any]
EmailTrust: TypeAlias = Literal["claim", "always", "never"]

_PROTOCOL_CLAIMS: Final = frozenset(
    {"iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "at_hash", "c_hash", "sid", "jti"}
)
_MAX_TEXT_CHARACTERS: Final = 255
_MAX_NUMBER: Final = 2**64
_MAX_GROUPS: Final = 1_000


def compile_path(path: str) -> ParsedResult:
    """Parse a JMESPath. Raises `ValueError`."""
    try:
        return jmespath.compile(path)
    except jmespath.exceptions.JMESPathError:
        raise ValueError(f"{path!r} is not a JMESPath") from None


def get_claim(path: str, document: UserClaims) -> Any:
    """Return the value at a JMESPath, or None."""
    try:
        return compile_path(path).search(document)  # pyright: ignore[reportUnknownMemberType]
    except jmespath.exceptions.JMESPathError:
        return None


def merge_claims(id_token: UserClaims, userinfo: UserClaims) -> dict[str, Any]:
    """Merge ID token and UserInfo: signed claims win, and UserInfo adds claims that the ID token lacks.

    `email` and `email_verified` come from one source: else UserInfo could verify an address that it does not state.
    """
    added = {name: value for name, value in userinfo.items() if name not in _PROTOCOL_CLAIMS and name not in id_token}
    if "email" in id_token:
        added.pop("email_verified", None)
        return {**added, **id_token}
    if "email" not in added:
        return {**added, **id_token}
    return {**id_token, **added, "email_verified": userinfo.get("email_verified")}


def map_claims(document: UserClaims, paths: Mapping[str, str]) -> dict[str, Any]:
    """Replace the claims that a record maps by the values at its paths; a claim without a value is absent."""
    mapped = {name: get_claim(path, document) for name, path in paths.items()}
    rest = {name: value for name, value in document.items() if name not in paths}
    return {**rest, **{name: value for name, value in mapped.items() if value is not None}}


def read_subject(claims: UserClaims, name: str) -> str | None:
    """Return the claim that identifies a user, or None: a text as it is, or a number as text."""
    value = get_claim(name, claims)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MAX_NUMBER:
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT_CHARACTERS or value != value.strip():
        return None
    return value if value.isprintable() else None


def read_email(claims: UserClaims, trust: EmailTrust) -> tuple[str, bool] | None:
    """Return the e-mail address in normal form, and whether it is verified; None without a valid address.

    Compatibility characters, such as full-width ones, are normalised before any comparison.
    """
    value = claims.get("email")
    if not isinstance(value, str) or len(value) > _MAX_TEXT_CHARACTERS:
        return None
    address = unicodedata.normalize("NFKC", value).casefold().strip()
    user, at, domain = address.partition("@")
    if not at or not user or not domain or "@" in domain or not address.isprintable() or " " in address:
        return None
    verified = trust == "always" or (trust == "claim" and claims.get("email_verified") is True)
    return address, verified


def email_domain(address: str) -> str:
    """Return the domain of a normalised address in IDNA form, or as it is where it has none."""
    domain = address.partition("@")[2].rstrip(".")
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain


def select_attributes(claims: UserClaims, persist: Sequence[str], attributes: Mapping[str, str]) -> dict[str, Any]:
    """Return the claims to store: those at `persist` under their paths, those of `attributes` under other names."""
    names = {**{path: path for path in persist}, **attributes}
    values = {name: get_claim(path, claims) for path, name in names.items()}
    return {name: value for name, value in values.items() if value is not None}


def read_groups(claims: UserClaims, path: str) -> list[str]:
    """Return the groups of a user, at most 1,000."""
    value = get_claim(path, claims)
    if isinstance(value, str):
        return [value]
    listed = value[:_MAX_GROUPS] if is_list(value) else []
    return [each for each in listed if isinstance(each, str)]
