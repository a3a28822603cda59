"""The settings of visado-totp: `[totp]`."""

from __future__ import annotations

from typing import ClassVar, Final

from pydantic import Field, SecretStr, field_validator

from visado import Milliseconds, Section

_SHORTEST_SECRET: Final = 32
_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
_YEAR: Final = 366 * 24 * _HOUR


class TotpSection(Section):
    """Codes of an authenticator app, as a second factor."""

    name: ClassVar[str] = "totp"
    issuer: str = Field("visado", min_length=1, max_length=32, description="The name that authenticators show.")
    account: str = Field("", description="The member of a user that authenticators show; by default the user's id.")
    digits: int = Field(6, ge=6, le=8, description="Digits of a code, for enrolments from now on.")
    period: int = Field(30, ge=15, le=120, description="Seconds that a code lasts, for enrolments from now on.")
    window: int = Field(1, ge=0, le=5, description="How many periods a clock may be ahead or behind.")
    required: bool = Field(False, description="Ask everybody: who has not enrolled does so at the next login.")
    required_profiles: list[str] = Field([], description="Ask users with one of these profiles.")
    required_roles: list[str] = Field([], description="Ask users with one of these roles.")
    may_disable: bool = Field(True, description="Let users switch it off themselves, with a code.")
    attempts: int = Field(3, ge=1, le=10, description="Wrong codes after which a login begins anew.")
    challenge_lifetime: Milliseconds = Field(
        5 * _MINUTE,
        ge=1_000,
        le=_HOUR,
        description="How long a login, or an enrolment, waits for its code.",
    )
    wrong_codes: int = Field(10, ge=1, le=100, description="Wrong codes of one user after which all are refused.")
    wrong_codes_window: Milliseconds = Field(
        _HOUR, ge=1_000, le=24 * _HOUR, description="How long a wrong code counts."
    )
    recovery_codes: int = Field(10, ge=0, le=20, description="How many codes a user gets for a lost device.")
    remember_devices: Milliseconds = Field(
        0, ge=0, le=_YEAR, description="How long a device that wishes so is not asked again; 0: always ask."
    )
    secret: SecretStr | None = Field(
        None, description="32 bytes or more, the same on every node; by default one is made in the data folder."
    )

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < _SHORTEST_SECRET:
            raise ValueError(f"a secret has {_SHORTEST_SECRET} bytes or more")
        return value
