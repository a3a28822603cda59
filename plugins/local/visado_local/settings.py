"""The settings of the local strategy: `[local]`, and the password policies in it."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from visado import Milliseconds, Section
from visado_local.passwords import LIMITS
from visado_local.patterns import compile_pattern

_LEAST_WORK: Final = 7168 * 5  # the cheapest of OWASP's equivalent choices, in KiB times passes
_HOUR: Final = 3_600_000

_CONFIG: Final = ConfigDict(
    frozen=True,
    extra="forbid",
    hide_input_in_errors=True,
    alias_generator=to_camel,
    populate_by_name=True,
    loc_by_alias=False,
)


class AppliesTo(BaseModel):
    """Whom a policy is for: who is in one of the lists."""

    model_config = _CONFIG
    users: list[str] = Field([], description="User ids (kuids).")
    profiles: list[str] = Field([], description="Profile ids.")
    roles: list[str] = Field([], description="Role ids.")

    @model_validator(mode="after")
    def _names_somebody(self) -> AppliesTo:
        if not (self.users or self.profiles or self.roles):
            raise ValueError('"*", or at least one of users, profiles and roles')
        return self


class PasswordPolicy(BaseModel):
    """One policy. Every policy that applies to a user counts: none overrides another."""

    model_config = _CONFIG
    applies_to: Literal["*"] | AppliesTo = Field(description='"*", or lists of users, profiles and roles.')
    expires_after: Milliseconds | None = Field(
        None, ge=1, description="How long after it was set a password still opens the door."
    )
    forbid_login_in_password: bool = Field(
        False, description="Refuse a password with the user name in it, whatever the case."
    )
    forbid_reused_password_count: int = Field(
        0, ge=0, le=50, description="Refuse the last so many passwords, the present one counted."
    )
    must_change_password_if_set_by_admin: bool = Field(
        False, description="Refuse the login until the owner has set the password; the role admin is exempt."
    )
    password_regex: str | None = Field(None, description="What a password must match: a pattern, or /pattern/flags.")

    @field_validator("password_regex")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            compile_pattern(value)
        return value


class LocalSection(Section):
    """User name and password."""

    model_config = _CONFIG
    name: ClassVar[str] = "local"
    memory: int = Field(19_456, ge=7168, le=LIMITS.memory, description="Memory of one hash (argon2id), in KiB.")
    iterations: int = Field(2, ge=1, le=LIMITS.iterations, description="Passes of one hash over its memory.")
    parallelism: int = Field(1, ge=1, le=LIMITS.parallelism, description="Lanes of one hash.")
    minimum_length: int | None = Field(
        None, ge=8, le=64, description="Characters of a password; 15 by default under the strict preset."
    )
    require_password: bool = Field(
        False,
        description="Ask users for currentPassword when they change or delete theirs; strict does.",
    )
    reset_password_expires_in: Milliseconds = Field(
        _HOUR, ge=1000, le=_HOUR, description="Life of a reset token: one hour at most."
    )
    password_policies: list[PasswordPolicy] = Field([], description="Rules, and whom they bind.")

    @model_validator(mode="after")
    def _dear_enough(self) -> LocalSection:
        if not _LEAST_WORK <= self.memory * self.iterations <= LIMITS.work:
            raise ValueError(
                f"memory times iterations must be between {_LEAST_WORK} (OWASP's minimum) and {LIMITS.work}"
            )
        return self
