"""visado-basic: HTTP Basic (RFC 7617) with the passwords of visado-local."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable
from dataclasses import replace

from visado import Fail, Fields, Host, Outcome, Request, Strategies, Strategy, hookimpl

CHALLENGE = ('Basic realm="visado", charset="UTF-8"',)


class Basic(Strategy):
    """Asks the strategy `local` with the user name and the password of the header `Authorization`."""

    name = "basic"
    listed = False  # a browser asks for the password itself

    def __init__(self, strategies: Strategies) -> None:
        self._strategies = strategies

    async def authenticate(self, request: Request) -> Outcome:
        credentials = _credentials(request)
        outcome = await self._strategies.attempt("local", replace(request, body=credentials)) if credentials else Fail()
        return replace(outcome, www_authenticate=CHALLENGE) if isinstance(outcome, Fail) else outcome

    def subject(self, request: Request) -> str | None:
        return _credentials(request).get("username")


def _credentials(request: Request) -> Fields:
    """Return the user name and the password; empty without well-formed ones, and on a WebSocket.

    There the header is the upgrade's: it would log in whoever sends messages later.
    """
    scheme, _, text = (request.header("authorization") or "").partition(" ")
    if scheme.lower() != "basic" or request.connection.transport != "http":
        return {}
    try:
        username, colon, password = b64decode(text.strip(" "), validate=True).decode().partition(":")
    except ValueError:
        return {}
    return {"username": username, "password": password} if colon else {}


@hookimpl
def register_strategies(host: Host) -> Iterable[Strategy]:
    """Register the strategy `basic`."""
    return [Basic(host.strategies)]
