"""Why a directory refuses a bind: its codes, and Active Directory's codes within them, in plain words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

SUCCESS: Final = 0
INVALID_CREDENTIALS: Final = 49
NO_SUCH_OBJECT: Final = 32
INVALID_DN: Final = 34
SIZE_LIMIT: Final = 4
REFERRAL: Final = 10

_OF_THE_ACCOUNT: Final = frozenset({INVALID_CREDENTIALS, 19, NO_SUCH_OBJECT, INVALID_DN, 48, 50, 53})
_AWAY: Final = frozenset({51, 52})

_SUB_CODE: Final = re.compile(r"AcceptSecurityContext error, data ([0-9a-fA-F]{1,8})\b")
_SUB_CODES: Final = {
    "525": ("", "there is no such account"),
    "52e": ("", "the password, or the user name, is wrong"),
    "530": ("hours", "the account may not log in at this time"),
    "531": ("workstation", "the account may not log in from this machine"),
    "532": ("password expired", "the password has expired"),
    "533": ("disabled", "the account is disabled"),
    "569": ("logon type", "the account may not log in this way"),
    "701": ("expired", "the account has expired"),
    "773": ("must change", "the password must be changed before the first login"),
    "775": ("", "the account is locked: too many wrong passwords"),
}

_POLICY_ERRORS: Final[dict[int | None, tuple[str, str]]] = {
    0: ("password expired", "the password has expired"),
    1: ("", "the account is locked"),
    2: ("must change", "the password must be changed before anything else"),
}
_POLICY_ERROR: Final = b"\x81\x01"
_POLICY_AFTER_SUCCESS: Final = frozenset[int | None]({0, 2})


@dataclass(frozen=True, slots=True)
class Refusal:
    """A bind that failed.

    `kind` is a key of `errors.AFTER_THE_PASSWORD` where the password was right, and else empty: that an account is
    locked a directory tells everybody, so it is not for the client to know. `words` are for the log.
    """

    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a directory answers: LDAP's code, its name, the directory's own words, a password policy's error."""

    code: int
    name: str
    message: str = ""
    policy: int | None = None

    @property
    def of_the_account(self) -> bool:
        """Whether this is about the account that was to be bound, and not about the directory."""
        return self.code in _OF_THE_ACCOUNT

    @property
    def away(self) -> bool:
        """Whether the directory says that it is not there."""
        return self.code in _AWAY

    def refusal(self) -> Refusal | None:
        """Why the bind failed; None where it did not."""
        if self.code == SUCCESS:
            told = _POLICY_ERRORS.get(self.policy) if self.policy in _POLICY_AFTER_SUCCESS else None
            return Refusal(*told) if told is not None else None
        found = _SUB_CODE.search(self.message)
        if found is not None:
            code = found[1].lower()
            kind, words = _SUB_CODES.get(code, ("", "Active Directory refuses the account"))
            return Refusal(kind if self.code == INVALID_CREDENTIALS else "", f"{words} (data {code})")
        kind, words = _POLICY_ERRORS.get(self.policy, ("", self.words))
        return Refusal(kind if self.policy == 0 else "", words)

    @property
    def words(self) -> str:
        """The answer in words."""
        return f"{self.name} ({self.code}){': ' + self.message if self.message else ''}"


def policy_error(value: Any) -> int | None:
    """Read the error of a password policy's response: SEQUENCE { [0] warning OPTIONAL, [1] error OPTIONAL }."""
    held = bytes(value) if isinstance(value, (bytes, bytearray)) else b""
    rest = held[2:] if held[:1] == b"\x30" else b""
    while rest[2:]:
        if rest[:2] == _POLICY_ERROR:
            return rest[2]
        rest = rest[2 + rest[1] :]
    return None
