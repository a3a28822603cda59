"""Connections of the search account to one server, each lent to one thread at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from visado_ldap.directory import DirectoryConnection
from visado_ldap.errors import ServerUnreachable
from visado_ldap.protocol.sockets import Deadline

T = TypeVar("T")

_MAX_IDLE_SECONDS: Final = 60.0


class ConnectionPool:
    """At most `size` connections at a time. `connect` makes one that is bound."""

    def __init__(self, connect: Callable[[Deadline], DirectoryConnection], size: int) -> None:
        self._connect = connect
        self._slots = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[tuple[float, DirectoryConnection]] = []
        self._closed = False

    def run(self, work: Callable[[DirectoryConnection], T], deadline: Deadline) -> T:
        """Run `work` with a connection, and return its result. Raises `ServerUnreachable`, and as `work`.

        An idle connection that turns out to be broken is replaced by a new one, once.
        """
        if not self._slots.acquire(timeout=deadline.seconds_left("wait for a connection")):
            raise ServerUnreachable("wait for a connection", "all are in use")
        try:
            idle = self._take_idle()
            if idle is not None:
                try:
                    return self._use(idle, work)
                except ServerUnreachable:
                    if deadline.passed:
                        raise
            return self._use(self._connect(deadline), work)
        finally:
            self._slots.release()

    def _use(self, connection: DirectoryConnection, work: Callable[[DirectoryConnection], T]) -> T:
        try:
            result = work(connection)
        except Exception as error:
            if isinstance(error, ServerUnreachable):
                connection.drop()
            else:
                self._give_back(connection)
            raise
        except BaseException:
            connection.drop()
            raise
        self._give_back(connection)
        return result

    def _take_idle(self) -> DirectoryConnection | None:
        now = time.monotonic()
        with self._lock:
            newest = self._idle.pop() if self._idle else None
            expired = [each for since, each in self._idle if now - since > _MAX_IDLE_SECONDS]
            self._idle = [each for each in self._idle if now - each[0] <= _MAX_IDLE_SECONDS]
        for each in expired:
            each.drop()
        if newest is None:
            return None
        if now - newest[0] > _MAX_IDLE_SECONDS:
            newest[1].drop()
            return None
        return newest[1]

    def _give_back(self, connection: DirectoryConnection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append((time.monotonic(), connection))
                return
        connection.drop()

    def close(self) -> None:
        """Close every idle connection; those in use are closed when they are given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, each in idle:
            each.close()
