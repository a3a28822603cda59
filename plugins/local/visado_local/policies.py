"""What a password must be like, and when one is not enough: the policies, and the strict preset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from visado import User, Users, errors
from visado_local.common import is_common
from visado_local.errors import (
    ExpiredPassword,
    LoginForbidden,
    LoginInPassword,
    MustChangePassword,
    ReusedPassword,
    WeakPassword,
)
from visado_local.passwords import Passwords
from visado_local.patterns import matches
from visado_local.settings import LocalSection, PasswordPolicy

_STRICT_LENGTH: Final = 15
_PRODUCT: Final = "visado"


class Policies:
    """Judges new passwords, and logins whose password was right."""

    def __init__(self, section: LocalSection, users: Users, passwords: Passwords, *, strict: bool) -> None:
        self._policies = section.password_policies
        self._users, self._passwords, self._strict = users, passwords, strict
        self._shortest = section.minimum_length or (_STRICT_LENGTH if strict else 0)

    @property
    def remembered(self) -> int:
        """How many former passwords the policies need to know."""
        return max((policy.forbid_reused_password_count - 1 for policy in self._policies), default=0)

    async def check_content(self, user_id: str, username: str, password: str, row: Mapping[str, Any] | None) -> None:
        """Raise unless the user may have this password; `row` holds the present one."""
        if len(password) < self._shortest:
            reason = f"the password must have at least {self._shortest} characters"
            raise errors.CredentialsRejected(reason=reason)
        if self._strict and is_common(password, (username, user_id, _PRODUCT)):
            raise errors.CredentialsRejected(reason="the password is too common")
        used = 0
        for policy in self._matching(user_id, await self._users.get(user_id)):
            if policy.forbid_login_in_password and username.casefold() in password.casefold():
                raise LoginInPassword
            if policy.password_regex is not None and not await matches(policy.password_regex, password):
                raise WeakPassword
            used = max(used, policy.forbid_reused_password_count)
        if row is not None:
            await self._check_reuse(password, [row.get("hash"), *row.get("former", [])][:used])

    def refusal(self, user: User, row: Mapping[str, Any], now: int) -> type[LoginForbidden] | None:
        """Why the user may not log in although the password is right."""
        for policy in self._matching(user.id, user):
            if policy.expires_after is not None and row.get("changedAt", 0) + policy.expires_after <= now:
                return ExpiredPassword
            if (
                policy.must_change_password_if_set_by_admin
                and not row.get("byOwner", False)
                and "admin" not in self._users.roles(user)
            ):
                return MustChangePassword
        return None

    async def _check_reuse(self, password: str, stored: list[Any]) -> None:
        for each in stored:
            if await self._passwords.verify(each, password):
                raise ReusedPassword

    def _matching(self, user_id: str, user: User | None) -> Iterator[PasswordPolicy]:
        if not self._policies:
            return
        profiles = frozenset(user.profile_ids) if user else frozenset[str]()
        roles = self._users.roles(user) if user else frozenset[str]()
        for policy in self._policies:
            whom = policy.applies_to
            if (
                whom == "*"
                or user_id in whom.users
                or not profiles.isdisjoint(whom.profiles)
                or not roles.isdisjoint(whom.roles)
            ):
                yield policy
