"""Connections: the token that each open socket used last, so that the socket is told when the token expires."""

from __future__ import annotations

import asyncio
from typing import Final

from visado.host import Clock
from visado.request import Connection, Token

MAX_TIMER_SECONDS: Final = 86_400.0


class Connections:
    """The open sockets and their tokens: one token per connection, any number of connections per token."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._token_of: dict[Connection, str] = {}
        self._connections: dict[str, set[Connection]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def link(self, connection: Connection, token: Token) -> None:
        """Note that a connection used a token, in place of the one before."""
        if self._token_of.get(connection) == token.id:
            return
        self.unlink(connection)
        self._token_of[connection] = token.id
        self._connections.setdefault(token.id, set()).add(connection)
        if token.id not in self._timers and token.expires_at >= 0:
            self._start_timer(token)

    def holds(self, connection: Connection, token_id: str | None) -> bool:
        """Return whether a connection used this token last; True where `token_id` is None."""
        return token_id is None or self._token_of.get(connection) == token_id

    def unlink(self, connection: Connection) -> None:
        """Remove a connection."""
        token_id = self._token_of.pop(connection, None)
        if token_id is None:
            return
        connections = self._connections[token_id]
        connections.discard(connection)
        if not connections:
            self.drop(token_id)

    def move(self, token_id: str, token: Token) -> None:
        """Link the connections of a refreshed token to its successor."""
        for connection in self._connections.get(token_id, set[Connection]()).copy():
            self.link(connection, token)

    def renew(self, token: Token) -> None:
        """Tell the connections of a token when it expires now."""
        timer = self._timers.pop(token.id, None)
        if timer is not None:
            timer.cancel()
        if token.id in self._connections and token.expires_at >= 0:
            self._start_timer(token)

    def drop(self, token_id: str) -> None:
        """Remove a revoked token without telling its connections."""
        timer = self._timers.pop(token_id, None)
        if timer is not None:
            timer.cancel()
        for connection in self._connections.pop(token_id, ()):
            self._token_of.pop(connection, None)

    def expire(self, token_id: str) -> None:
        """Remove a token, and tell its connections that it expired."""
        connections = list(self._connections.get(token_id, ()))
        self.drop(token_id)
        for connection in connections:
            connection.expired()

    def _start_timer(self, token: Token) -> None:
        left = (token.expires_at - self._clock()) / 1_000
        if left <= 0:
            self.expire(token.id)
            return
        loop = asyncio.get_running_loop()
        self._timers[token.id] = loop.call_later(min(left, MAX_TIMER_SECONDS), self._start_timer, token)
