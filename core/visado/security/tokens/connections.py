"""Which open connections last used which token, and who must hear when it ends."""

from __future__ import annotations

import asyncio
from typing import Final

from visado.host import Clock
from visado.request import Connection, Token

_LONGEST_WAIT: Final = 86_400.0


class Connections:
    """At most one token per connection, any number of connections per token."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._token_of: dict[Connection, str] = {}
        self._connections: dict[str, set[Connection]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def link(self, connection: Connection, token: Token) -> None:
        """Note that a connection uses a token, in place of the one before."""
        if self._token_of.get(connection) == token.id:
            return
        self.unlink(connection)
        self._token_of[connection] = token.id
        self._connections.setdefault(token.id, set()).add(connection)
        if token.id not in self._timers and token.expires_at >= 0:
            self._wait(token)

    def holds(self, connection: Connection, token_id: str | None) -> bool:
        """Whether a connection uses this token, or none is needed."""
        return token_id is None or self._token_of.get(connection) == token_id

    def unlink(self, connection: Connection) -> None:
        """Forget a connection."""
        token_id = self._token_of.pop(connection, None)
        if token_id is None:
            return
        connections = self._connections[token_id]
        connections.discard(connection)
        if not connections:
            self.drop(token_id)

    def move(self, token_id: str, token: Token) -> None:
        """Give the connections of a refreshed token to its successor."""
        for connection in self._connections.get(token_id, set[Connection]()).copy():
            self.link(connection, token)

    def drop(self, token_id: str) -> None:
        """Forget a token that was revoked: nobody is told."""
        timer = self._timers.pop(token_id, None)
        if timer is not None:
            timer.cancel()
        for connection in self._connections.pop(token_id, ()):
            self._token_of.pop(connection, None)

    def _wait(self, token: Token) -> None:
        left = (token.expires_at - self._clock()) / 1_000
        if left <= 0:
            self.expire(token.id)
            return
        loop = asyncio.get_running_loop()
        self._timers[token.id] = loop.call_later(min(left, _LONGEST_WAIT), self._wait, token)

    def expire(self, token_id: str) -> None:
        """Tell the connections of a token that it has ended, and forget it."""
        connections = list(self._connections.get(token_id, ()))
        self.drop(token_id)
        for connection in connections:
            connection.expired()
