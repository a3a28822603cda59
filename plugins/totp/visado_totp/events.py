"""The events of visado-totp. The target of each is the id of a user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from visado.events import Changed, Event


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentChanged(Changed):
    """A user, the target, enrolled an authenticator, or the enrolment was deleted."""

    name: ClassVar[str] = "totp.enrolment"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodesChanged(Changed):
    """The recovery codes of a user, the target, were replaced."""

    name: ClassVar[str] = "totp.recovery_codes"


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicesChanged(Changed):
    """A device of a user, the target, was remembered, or all devices of the user were forgotten."""

    name: ClassVar[str] = "totp.devices"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodeUsed(Event):
    """A user, the target, used a recovery code; `left` is the number of unused ones."""

    name: ClassVar[str] = "totp.recovery_code.used"
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRefused(Event):
    """A code for a user, the target, was wrong or already used."""

    name: ClassVar[str] = "totp.code.refused"
    outcome: ClassVar[Literal["success", "refused"]] = "refused"
