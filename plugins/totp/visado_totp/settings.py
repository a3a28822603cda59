"""The settings of visado-totp: the section `[totp]`."""

from __future__ import annotations

from typing import ClassVar, Final

from pydantic import Field, SecretStr, field_validator

from visado import Milliseconds, Section

MIN_SECRET_BYTES: Final = 32
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
YEAR_MS: Final = 366 * 24 * HOUR_MS


class TotpSection(Section):
    """Codes of an authenticator app, as a second factor."""

    name: ClassVar[str] = "totp"
    issuer: str = Field("visado", min_length=1, max_length=32, description="The issuer that authenticator apps show.")
    account: str = Field(
        "", description="The user's field that authenticator apps show as the account; by default the user's id."
    )
    digits: int = Field(6, ge=6, le=8, description="Digits of a code. A change applies to new enrolments.")
    period: int = Field(
        30, ge=15, le=120, description="Seconds for which a code is valid. A change applies to new enrolments."
    )
    window: int = Field(
        1, ge=0, le=5, description="Periods before and after the current one whose codes are accepted too."
    )
    required: bool = Field(False, description="Require every user to enrol at the next login.")
    required_profiles: list[str] = Field([], description="Require users with one of these profiles to enrol.")
    required_roles: list[str] = Field([], description="Require users with one of these roles to enrol.")
    satisfied_by: list[str] = Field(
        [],
        description="Methods of a login (RFC 8176), such as mfa or hwk: the host asks for no code where the login "
        "already proved one of them.",
    )
    may_disable: bool = Field(True, description="Allow users to disable their second factor, with a code.")
    attempts: int = Field(3, ge=1, le=10, description="Wrong codes after which a login is refused.")
    challenge_lifetime: Milliseconds = Field(
        5 * MINUTE_MS,
        ge=1_000,
        le=HOUR_MS,
        description="How long a login or an enrolment waits for its code.",
    )
    wrong_codes: int = Field(
        10, ge=1, le=100, description="Wrong codes of one user after which every code of that user is refused."
    )
    wrong_codes_window: Milliseconds = Field(
        HOUR_MS, ge=1_000, le=24 * HOUR_MS, description="How long a wrong code counts."
    )
    recovery_codes: int = Field(10, ge=0, le=20, description="Number of recovery codes of a user.")
    remember_devices: Milliseconds = Field(
        0,
        ge=0,
        le=YEAR_MS,
        description="How long the host remembers a device, and asks it for no code; 0: it remembers none.",
    )
    secret: SecretStr | None = Field(
        None,
        description="Secret that encrypts the users' secrets: 32 bytes or more, the same on every node. "
        "By default the host generates one in the data folder.",
    )

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"a secret has {MIN_SECRET_BYTES} bytes or more")
        return value
