"""What visado-totp tells observers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from visado.events import Changed, Event


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentChanged(Changed):
    """A user, the target, has an authenticator from now on, or no more."""

    name: ClassVar[str] = "totp.enrolment"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodesChanged(Changed):
    """A user, the target, has new recovery codes."""

    name: ClassVar[str] = "totp.recovery_codes"


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicesChanged(Changed):
    """A device of a user, the target, will not be asked for a while; or all of them will be asked again."""

    name: ClassVar[str] = "totp.devices"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodeUsed(Event):
    """A user, the target, has used a recovery code, and has so many `left`."""

    name: ClassVar[str] = "totp.recovery_code.used"
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRefused(Event):
    """A code for a user, the target, was wrong or used already."""

    name: ClassVar[str] = "totp.code.refused"
    outcome: ClassVar[Literal["success", "refused"]] = "refused"
