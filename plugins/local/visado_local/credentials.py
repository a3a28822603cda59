"""User names and passwords as clients send them: any JSON value may be in the place of either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic import BaseModel, Field, SecretStr

from visado import Fields
from visado_local.errors import (
    InvalidPassword,
    InvalidUsername,
    KuidForbidden,
    MissingPassword,
    MissingUsername,
    NothingToChange,
)
from visado_local.passwords import MAX_PASSWORD_BYTES, encode_password

MAX_USERNAME_LENGTH: Final = 256
MAX_EXACT_INTEGER: Final = 2**53
"""Whole numbers below this have the same digits in every JSON parser, so that they may be user names."""


class LoginForm(BaseModel):
    """The body of a login."""

    username: str = Field(title="User name")
    password: SecretStr = Field(title="Password")


class PasswordForm(BaseModel):
    """The credentials of a user."""

    username: str = Field(title="User name", max_length=MAX_USERNAME_LENGTH)
    password: SecretStr = Field(title="Password")


@dataclass(frozen=True, slots=True, repr=False)
class PasswordCredentials:
    """A user name and a password, each None if it is absent or empty; `has_kuid` if a user's id was sent too."""

    username: str | None
    password: str | None
    has_kuid: bool

    @classmethod
    def read(cls, credentials: Any) -> PasswordCredentials:
        """Read the credentials that a request creates or changes. Raises `InvalidUsername` or `InvalidPassword`."""
        fields = cast("Fields", credentials) if isinstance(credentials, dict) else {}
        username, password = fields.get("username"), fields.get("password")
        if username is not None and _read_username(username) is None and username != "":
            raise InvalidUsername(rule=f"a text of at most {MAX_USERNAME_LENGTH} characters")
        if password is not None and (not isinstance(password, str) or encode_password(password) is None):
            raise InvalidPassword(rule=f"a text of at most {MAX_PASSWORD_BYTES} bytes")
        return cls(_read_username(username) or None, password or None, bool(fields.get("kuid")))

    def refuse_kuid(self) -> None:
        """Raise `KuidForbidden` if a user's id was sent: the request names the user."""
        if self.has_kuid:
            raise KuidForbidden

    def require(self, *, update: bool) -> None:
        """Raise unless the fields suffice for a creation or an update.

        Raises `MissingUsername`, `MissingPassword` or `NothingToChange`.
        """
        if update:
            if self.username is None and self.password is None:
                raise NothingToChange
        elif self.username is None:
            raise MissingUsername
        elif self.password is None:
            raise MissingPassword


def read_login(fields: Fields) -> tuple[str | None, str | None] | None:
    """Read the user name and the password of a login.

    Return None if either is missing; either is None if no user can have it.
    """
    username, password = fields.get("username"), fields.get("password")
    if not all(isinstance(each, (str, int, float)) and each for each in (username, password)):
        return None
    return _read_username(username), password if isinstance(password, str) else None


def _read_username(value: Any) -> str | None:
    """Return a user name: any text, or the digits of a whole number."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_EXACT_INTEGER:
        return str(value)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_USERNAME_LENGTH:
        return None
    return None if any("\ud800" <= char <= "\udfff" for char in value) else value
