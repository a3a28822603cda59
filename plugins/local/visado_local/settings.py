"""The settings of visado-local: the section `[local]`, with its password policies."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from visado import Milliseconds, Section
from visado_local.passwords import HASH_LIMITS
from visado_local.patterns import compile_pattern

MIN_HASH_MEMORY: Final = 7168
MIN_HASH_WORK: Final = MIN_HASH_MEMORY * 5  # the cheapest of the equivalent choices of OWASP, in KiB times passes
HOUR_MS: Final = 3_600_000

_CONFIG: Final = ConfigDict(
    frozen=True,
    extra="forbid",
    hide_input_in_errors=True,
    alias_generator=to_camel,
    populate_by_name=True,
    loc_by_alias=False,
)


class AppliesTo(BaseModel):
    """The users of a policy: those who are in at least one of the lists."""

    model_config = _CONFIG
    users: list[str] = Field([], description="User ids (kuids).")
    profiles: list[str] = Field([], description="Profile ids.")
    roles: list[str] = Field([], description="Role ids.")

    @model_validator(mode="after")
    def _is_not_empty(self) -> AppliesTo:
        if not (self.users or self.profiles or self.roles):
            raise ValueError('"*", or at least one of users, profiles and roles')
        return self


class PasswordPolicy(BaseModel):
    """A password policy. Every policy that applies to a user counts; none overrides another."""

    model_config = _CONFIG
    applies_to: Literal["*"] | AppliesTo = Field(description='"*", or lists of users, profiles and roles.')
    expires_after: Milliseconds | None = Field(
        None, ge=1, description="Age after which a password must be changed before the next login."
    )
    forbid_login_in_password: bool = Field(
        False, description="Refuse a password that contains the user name, in upper or lower case."
    )
    forbid_reused_password_count: int = Field(
        0, ge=0, le=50, description="Number of last passwords that are refused, the current one included."
    )
    must_change_password_if_set_by_admin: bool = Field(
        False,
        description="Refuse logins with a password that an administrator has set; the role admin is exempt.",
    )
    password_regex: str | None = Field(
        None, description="Pattern that must be found in a password: a regular expression, or /expression/flags."
    )

    @field_validator("password_regex")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            compile_pattern(value)
        return value


class LocalSection(Section):
    """User names and passwords."""

    model_config = _CONFIG
    name: ClassVar[str] = "local"
    memory: int = Field(
        19_456, ge=MIN_HASH_MEMORY, le=HASH_LIMITS.memory, description="Memory of a hash (argon2id), in KiB."
    )
    iterations: int = Field(2, ge=1, le=HASH_LIMITS.iterations, description="Passes of a hash over its memory.")
    parallelism: int = Field(1, ge=1, le=HASH_LIMITS.parallelism, description="Lanes of a hash.")
    minimum_length: int | None = Field(
        None, ge=8, le=64, description="Characters of a password, at least; under the strict preset 15 by default."
    )
    require_password: bool = Field(
        False,
        description="Require currentPassword of users who change or delete their credentials; "
        "the strict preset always does.",
    )
    reset_password_expires_in: Milliseconds = Field(
        HOUR_MS, ge=1000, le=HOUR_MS, description="Lifetime of a reset token, one hour at most."
    )
    password_policies: list[PasswordPolicy] = Field([], description="Password policies, for some users or for all.")

    @model_validator(mode="after")
    def _is_expensive_enough(self) -> LocalSection:
        if not MIN_HASH_WORK <= self.memory * self.iterations <= HASH_LIMITS.work:
            raise ValueError(
                f"memory times iterations must be between {MIN_HASH_WORK} (OWASP's minimum) and {HASH_LIMITS.work}"
            )
        return self
