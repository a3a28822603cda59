"""A login that was accepted so far, and the token that it ends with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from visado import errors
from visado.login_check import Login
from visado.request import Fields, Token
from visado.security.tokens.issuing import IssuedToken


@dataclass(frozen=True, slots=True)
class Admission:
    """A login that the strategy and the login checks so far accepted.

    `data` are members of the response beside the token, and `cookies` are `Set-Cookie` values.
    `lifetime` is that of the token as the client sent it, not yet parsed. `challenge` is where a browser is redirected
    in place of a token, to answer a login check. `asked` is the strategy that the client named: another one may have
    decided. The client may answer a login check under either name.
    """

    login: Login
    data: Fields = field(default_factory=dict[str, Any])
    cookies: tuple[str, ...] = ()
    lifetime: Any = None
    challenge: str | None = None
    asked: str = ""

    @property
    def location(self) -> str | None:
        """Where a browser is redirected after the login, or None."""
        over_http = self.login.request.connection.transport == "http"
        return self.login.success.location if over_http else None


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A login that ended with a token; without one where a browser is redirected to answer a login check."""

    issued: IssuedToken | None
    admission: Admission

    @property
    def token(self) -> Token | None:
        """The new token, or None."""
        return None if self.issued is None else self.issued.token

    @property
    def location(self) -> str | None:
        """Where a browser is redirected, or None."""
        return self.admission.challenge or self.admission.location


def challenge_location(location: str, error: errors.LoginChallenged) -> str:
    """Return a location with a challenge in its fragment, which browsers send to no server."""
    names = {"challenge": error.challenge["reference"], "check": error.challenge["check"]}
    return f"{location.partition('#')[0]}#{urlencode({**names, 'strategy': error.challenge['strategy']})}"
