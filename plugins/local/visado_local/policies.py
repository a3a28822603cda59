"""Password policies and the rules of the strict preset: which passwords are allowed, and when a login is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from visado import Host, SecuritySection, Settings, User, errors
from visado_local.common_passwords import is_common
from visado_local.errors import (
    ExpiredPassword,
    LoginForbidden,
    LoginInPassword,
    MustChangePassword,
    ReusedPassword,
    WeakPassword,
)
from visado_local.passwords import Passwords
from visado_local.patterns import matches_pattern
from visado_local.settings import LocalSection, PasswordPolicy

STRICT_MIN_LENGTH: Final = 15
"""Characters of a password under the strict preset, unless the settings say otherwise."""
PRODUCT_NAME: Final = "visado"


class Policies:
    """Checks new passwords, and logins with a right password."""

    def __init__(self, settings: Settings, host: Host, passwords: Passwords) -> None:
        section, self._strict = settings[LocalSection], settings[SecuritySection].preset == "strict"
        self._policies = section.password_policies
        self._users, self._clock, self._passwords = host.users, host.clock, passwords
        self._min_length = section.minimum_length or (STRICT_MIN_LENGTH if self._strict else 0)

    @property
    def remembered(self) -> int:
        """How many former passwords of a user the policies need."""
        return max((policy.forbid_reused_password_count - 1 for policy in self._policies), default=0)

    async def check_password(
        self, user_id: str, username: str, password: str, stored: Mapping[str, Any] | None
    ) -> None:
        """Raise unless the user may have a new password. `stored` holds the current one, if there is one.

        Raises `errors.CredentialsRejected`, `LoginInPassword`, `WeakPassword` or `ReusedPassword`.
        """
        if len(password) < self._min_length:
            reason = f"the password must have at least {self._min_length} characters"
            raise errors.CredentialsRejected(reason=reason)
        if self._strict and is_common(password, (username, user_id, PRODUCT_NAME)):
            raise errors.CredentialsRejected(reason="the password is too common")
        reuse = 0
        for policy in self._applying(user_id, await self._users.get(user_id)):
            if policy.forbid_login_in_password and username.casefold() in password.casefold():
                raise LoginInPassword
            if policy.password_regex is not None and not await matches_pattern(policy.password_regex, password):
                raise WeakPassword
            reuse = max(reuse, policy.forbid_reused_password_count)
        if stored is not None:
            await self._check_reuse(password, [stored.get("hash"), *stored.get("former", [])][:reuse])

    def refusal(self, user: User, stored: Mapping[str, Any]) -> type[LoginForbidden] | None:
        """Return the error of a login with the right password that a policy refuses, or None."""
        for policy in self._applying(user.id, user):
            if policy.expires_after is not None and stored.get("changedAt", 0) + policy.expires_after <= self._clock():
                return ExpiredPassword
            if (
                policy.must_change_password_if_set_by_admin
                and not stored.get("byOwner", False)
                and "admin" not in self._users.roles(user)
            ):
                return MustChangePassword
        return None

    async def _check_reuse(self, password: str, hashes: list[Any]) -> None:
        for each in hashes:
            if await self._passwords.verify(each, password):
                raise ReusedPassword

    def _applying(self, user_id: str, user: User | None) -> Iterator[PasswordPolicy]:
        if not self._policies:
            return
        profiles = frozenset(user.profile_ids) if user else frozenset[str]()
        roles = self._users.roles(user) if user else frozenset[str]()
        for policy in self._policies:
            subjects = policy.applies_to
            if (
                subjects == "*"
                or user_id in subjects.users
                or not profiles.isdisjoint(subjects.profiles)
                or not roles.isdisjoint(subjects.roles)
            ):
                yield policy
