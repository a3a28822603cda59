"""Results of LDAP operations, and why a directory refuses a bind: LDAP's codes and Active Directory's codes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

SUCCESS: Final = 0
SIZE_LIMIT_EXCEEDED: Final = 4
NO_SUCH_OBJECT: Final = 32
INVALID_DN: Final = 34
INVALID_CREDENTIALS: Final = 49

_CONSTRAINT_VIOLATION, _INAPPROPRIATE_AUTHENTICATION = 19, 48
_INSUFFICIENT_ACCESS, _UNWILLING_TO_PERFORM = 50, 53
_BUSY, _UNAVAILABLE = 51, 52
_ACCOUNT_CODES: Final = frozenset(
    {
        INVALID_CREDENTIALS,
        _CONSTRAINT_VIOLATION,
        NO_SUCH_OBJECT,
        INVALID_DN,
        _INAPPROPRIATE_AUTHENTICATION,
        _INSUFFICIENT_ACCESS,
        _UNWILLING_TO_PERFORM,
    }
)
_UNAVAILABLE_CODES: Final = frozenset({_BUSY, _UNAVAILABLE})

_ACTIVE_DIRECTORY_CODE: Final = re.compile(r"AcceptSecurityContext error, data ([0-9a-fA-F]{1,8})\b")
_ACTIVE_DIRECTORY_REFUSALS: Final = {
    "525": ("", "the account does not exist"),
    "52e": ("", "the user name or the password is wrong"),
    "530": ("hours", "the account may not log in at this time"),
    "531": ("workstation", "the account may not log in from this machine"),
    "532": ("password expired", "the password has expired"),
    "533": ("disabled", "the account is disabled"),
    "569": ("logon type", "the account may not log in this way"),
    "701": ("expired", "the account has expired"),
    "773": ("must change", "the password must be changed before the first login"),
    "775": ("", "the account is locked after too many wrong passwords"),
}

_POLICY_REFUSALS: Final[dict[int | None, tuple[str, str]]] = {
    0: ("password expired", "the password has expired"),
    1: ("", "the account is locked"),
    2: ("must change", "the password must be changed first"),
}
_POLICY_ERROR_TAG: Final = b"\x81\x01"
_POLICY_ERRORS_WITH_SUCCESS: Final = frozenset[int | None]({0, 2})


@dataclass(frozen=True, slots=True)
class BindRefusal:
    """Why a bind failed.

    `reason` is a key of `errors.ACCOUNT_ERRORS` where the password was right, and else empty: a directory reports a
    locked account without checking the password, so the client must not learn of it. `text` is for the log.
    """

    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class LdapResult:
    """The result of an operation: LDAP's code and its name, the server's message, the password policy's error."""

    code: int
    name: str
    message: str = ""
    policy_error: int | None = None

    @property
    def concerns_account(self) -> bool:
        """Whether the result of a bind is about the account, and not about the directory."""
        return self.code in _ACCOUNT_CODES

    @property
    def is_unavailable(self) -> bool:
        """Whether the server says that it is busy or unavailable."""
        return self.code in _UNAVAILABLE_CODES

    def refusal(self) -> BindRefusal | None:
        """Return why the bind failed, or None where it succeeded."""
        if self.code == SUCCESS:
            if self.policy_error not in _POLICY_ERRORS_WITH_SUCCESS:
                return None
            return BindRefusal(*_POLICY_REFUSALS[self.policy_error])
        match = _ACTIVE_DIRECTORY_CODE.search(self.message)
        if match is not None:
            code = match[1].lower()
            reason, text = _ACTIVE_DIRECTORY_REFUSALS.get(code, ("", "Active Directory refuses the account"))
            return BindRefusal(reason if self.code == INVALID_CREDENTIALS else "", f"{text} (data {code})")
        reason, text = _POLICY_REFUSALS.get(self.policy_error, ("", self.text))
        return BindRefusal(reason if self.policy_error == 0 else "", text)

    @property
    def text(self) -> str:
        """The result as text, for operators."""
        return f"{self.name} ({self.code}){': ' + self.message if self.message else ''}"


def read_policy_error(value: Any) -> int | None:
    """Read the error in a password policy control: SEQUENCE { [0] warning OPTIONAL, [1] error OPTIONAL }."""
    encoded = bytes(value) if isinstance(value, (bytes, bytearray)) else b""
    rest = encoded[2:] if encoded[:1] == b"\x30" else b""
    while rest[2:]:
        if rest[:2] == _POLICY_ERROR_TAG:
            return rest[2]
        rest = rest[2 + rest[1] :]
    return None
