"""Credentials as clients send them, read with care: any JSON may stand where a name or a password should."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

from visado import Fields
from visado_local.errors import (
    InvalidPassword,
    InvalidUsername,
    KuidForbidden,
    NothingToChange,
    PasswordRequired,
    UsernameRequired,
)
from visado_local.passwords import MAX_LENGTH, encode

LONGEST_USERNAME: Final = 256
_SAFE: Final = 2**53


@dataclass(frozen=True, slots=True, repr=False)
class Given:
    """A user name and a password, each None where it is absent or empty."""

    username: str | None
    password: str | None
    has_kuid: bool

    @classmethod
    def read(cls, credentials: Any) -> Given:
        """Read the credentials of a user. Raises `InvalidUsername` or `InvalidPassword`."""
        fields = cast("Fields", credentials) if isinstance(credentials, dict) else {}
        username, password = fields.get("username"), fields.get("password")
        if username is not None and _name(username) is None and username != "":
            raise InvalidUsername(rule=f"a text of at most {LONGEST_USERNAME} characters")
        if password is not None and (not isinstance(password, str) or encode(password) is None):
            raise InvalidPassword(rule=f"a text of at most {MAX_LENGTH} bytes")
        return cls(_name(username) or None, password or None, bool(fields.get("kuid")))

    @staticmethod
    def login(fields: Fields) -> tuple[str | None, str | None] | None:
        """Read what a login sends: None where it is missing, and a part None where nobody can have it."""
        username, password = fields.get("username"), fields.get("password")
        if not all(isinstance(each, (str, int, float)) and each for each in (username, password)):
            return None
        return _name(username), password if isinstance(password, str) else None

    def refuse_kuid(self) -> None:
        """Raise if the credentials say whose they are."""
        if self.has_kuid:
            raise KuidForbidden

    def require(self, *, update: bool) -> None:
        """Raise unless there is enough here to create, or to update."""
        if update:
            if self.username is None and self.password is None:
                raise NothingToChange
        elif self.username is None:
            raise UsernameRequired
        elif self.password is None:
            raise PasswordRequired


def _name(value: Any) -> str | None:
    """Read a user name: free text, of which a whole number may be the digits."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _SAFE:
        return str(value)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_USERNAME:
        return None
    return None if any("\ud800" <= char <= "\udfff" for char in value) else value
