"""The parameters of a login request: in the body, or in the URL to which the provider has sent a browser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from visado import Request
from visado_oauth.client import challenge_of
from visado_oauth.login.denials import LoginDenied

_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_MAX_TEXT_CHARACTERS: Final = 8_192
_CALLBACK_PARAMETERS: Final = ("code", "error", "state", "verifier")


@dataclass(frozen=True, slots=True)
class LoginParameters:
    """The parameters of one login request; `from_url` means that they stood in the URL."""

    members: Mapping[str, Any]
    from_url: bool

    @staticmethod
    def read(request: Request) -> LoginParameters:
        """Return the parameters of a request."""
        if request.textual and not request.body:
            return LoginParameters(request.args, from_url=True)
        return LoginParameters(request.fields, from_url=False)

    def text(self, name: str) -> str | None:
        """Return a parameter, or None without one. Raises `LoginDenied` unless it is a printable text."""
        value = self.members.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or len(value) > _MAX_TEXT_CHARACTERS or not value.isprintable() or not value:
            raise LoginDenied(f"{name} is not a text")
        return value

    @property
    def is_callback(self) -> bool:
        """Whether the user comes back from the provider."""
        return any(self.members.get(name) is not None for name in _CALLBACK_PARAMETERS)

    @property
    def verifier(self) -> str | None:
        """The verifier of a client without cookies. Verifiers in URLs do not count: URLs are written to logs."""
        value = self.members.get("verifier")
        return value if not self.from_url and isinstance(value, str) and _VERIFIER.fullmatch(value) else None

    @property
    def reference(self) -> str | None:
        """The host's reference in the parameter `state`; None without one.

        The state of a client without cookies names its challenge: without the verifier, a request does not use it up.
        """
        state, verifier = self.members.get("state"), self.verifier
        if not isinstance(state, str):
            return None
        reference, is_client, challenge = state.partition(".")
        if is_client and (verifier is None or challenge_of(verifier) != challenge):
            return None
        return reference


def client_state(reference: str, challenge: str) -> str:
    """Return the state of a client without cookies, which holds the reference and the challenge."""
    return f"{reference}.{challenge}"
