"""How a login is denied."""

from __future__ import annotations

from typing import Final

from visado import Fail

LOGIN_FAILED: Final = Fail("The login at the provider did not succeed.")
"""The one response to a foreign state, a wrong code and an unknown user."""


class LoginDenied(Exception):
    """A login is denied with `outcome`. The reason is for the log alone."""

    def __init__(self, reason: str, outcome: Fail = LOGIN_FAILED) -> None:
        super().__init__(reason)
        self.outcome = outcome
