"""How a login ends: with an identity that its owner has proved, or denied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from visado import Fail
from visado_oauth.login.attempts import LoginAttempt
from visado_oauth.login.identities import ProviderIdentity, failed_requirement
from visado_oauth.providers.provider import Grant, Provider

LOGIN_FAILED: Final = Fail("The login at the provider did not succeed.")
"""The one response to a foreign state, a wrong code and an unknown user."""


class LoginDenied(Exception):
    """A login is denied with `outcome`. The reason is for the log alone."""

    def __init__(self, reason: str, outcome: Fail = LOGIN_FAILED) -> None:
        super().__init__(reason)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class ProvedIdentity:
    """An identity that its owner has proved, in an attempt that is now used."""

    attempt: LoginAttempt
    identity: ProviderIdentity
    grant: Grant
    cookies: tuple[str, ...] = ()


def check_requirements(provider: Provider, identity: ProviderIdentity) -> None:
    """Raise `LoginDenied` where the settings do not let this user in."""
    failed = failed_requirement(provider, identity.claims)
    if failed is not None:
        raise LoginDenied(f"the user does not meet require.{failed}", Fail("This account may not log in here."))
