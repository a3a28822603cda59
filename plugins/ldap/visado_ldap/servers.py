"""Which server of a directory is asked: failover in order, a circuit breaker each, pooled service connections."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from visado_ldap.directory import Connection
from visado_ldap.entry import Endpoint
from visado_ldap.errors import Resting, Unreachable
from visado_ldap.wire import Deadline

T = TypeVar("T")
Opener = Callable[[Endpoint, Deadline], Connection]

_LONGEST_IDLE: Final = 60.0
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 10.0
_ANSWERING: Final = 0.96
"""The part of the time-out that asking may take: the rest is for the answer to get out."""
_SECOND_CHANCE: Final = 0.75
"""Seconds beyond the time-out that there are where another server may be asked."""

_log = logging.getLogger("visado.ldap")


class Breaker:
    """Keeps us from asking a server that does not answer: after a failure for a second, then ever longer.

    When the pause is over one may try; the others wait for what comes of it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._pause, self._until, self._trying = 0.0, 0.0, False

    def admit(self) -> bool:
        """Whether the server may be asked now."""
        with self._lock:
            if not self._pause:
                return True
            now = self._clock()
            if now < self._until:
                return False
            self._until, self._trying = now + self._pause, True
            return True

    def succeeded(self) -> bool:
        """The server answers; whether that is news."""
        with self._lock:
            news, self._pause, self._trying = bool(self._pause), 0.0, False
            return news

    def failed(self) -> bool:
        """The server does not answer; whether that is news."""
        with self._lock:
            news = not self._pause
            if news or self._trying:  # what was asked before the pause does not prolong it
                self._pause = _FIRST_PAUSE if news else min(2 * self._pause, _LONGEST_PAUSE)
                self._until, self._trying = self._clock() + self._pause, False
            return news


class Pool:
    """Connections of the account that looks for entries: each is lent to one thread at a time."""

    def __init__(self, make: Callable[[Deadline], Connection], size: int) -> None:
        self._make = make
        self._places = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[tuple[float, Connection]] = []
        self._closed = False

    def run(self, work: Callable[[Connection], T], deadline: Deadline) -> T:
        """Lend a connection. One that broke while nobody used it is replaced. Raises `Unreachable`."""
        if not self._places.acquire(timeout=deadline.left("wait for a connection")):
            raise Unreachable("wait for a connection", "all are in use")
        try:
            kept = self._take()
            if kept is not None:
                try:
                    return self._use(kept, work)
                except Unreachable:
                    if deadline.over:
                        raise
            return self._use(self._make(deadline), work)
        finally:
            self._places.release()

    def _use(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        try:
            result = work(connection)
        except Exception as error:
            if isinstance(error, Unreachable):
                connection.drop()
            else:
                self._give(connection)
            raise
        except BaseException:
            connection.drop()
            raise
        self._give(connection)
        return result

    def _take(self) -> Connection | None:
        now = time.monotonic()
        with self._lock:
            kept = self._idle.pop() if self._idle else None
            old = [each for since, each in self._idle if now - since > _LONGEST_IDLE]
            self._idle = [each for each in self._idle if now - each[0] <= _LONGEST_IDLE]
        for each in old:
            each.drop()
        if kept is None:
            return None
        if now - kept[0] > _LONGEST_IDLE:
            kept[1].drop()
            return None
        return kept[1]

    def _give(self, connection: Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append((time.monotonic(), connection))
                return
        connection.drop()

    def close(self) -> None:
        """Let go of every connection; those that are lent follow when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, each in idle:
            each.close()


class Server:
    """One server: fresh connections for people, pooled ones for our account."""

    def __init__(self, endpoint: Endpoint, make: Opener, make_bound: Opener, pool_size: int) -> None:
        self.endpoint = endpoint
        self.breaker = Breaker()
        self._make = make
        self.pool = Pool(lambda deadline: make_bound(endpoint, deadline), pool_size)

    def fresh(self, deadline: Deadline) -> Connection:
        """Make a connection that nobody is bound on. Raises `Unreachable`."""
        return self._make(self.endpoint, deadline)


class Servers:
    """The servers of a directory, in the order of trial."""

    def __init__(self, servers: Sequence[Server], timeout: float) -> None:
        self._servers = list(servers)
        self._timeout = timeout * _ANSWERING
        self.longest = self._timeout if len(self._servers) == 1 else timeout + _SECOND_CHANCE

    def run(self, work: Callable[[Server, Deadline], T], deadline: Deadline | None = None) -> T:
        """Ask the first server that answers. Raises `Unreachable` where none does, and what `work` raises.

        Everything that is asked in one go is asked of one server: what one knows another may not know yet.
        """
        whole = deadline or Deadline.after(self.longest)
        reason = ""
        for server in self._servers:
            if whole.over or not server.breaker.admit():
                continue
            try:
                result = work(server, whole.at_most(self._timeout))
            except Unreachable as error:
                reason = f"{server.endpoint.url}: {error}"
                say = _log.warning if server.breaker.failed() else _log.debug
                say("a directory server fails and is left alone for a while: %s", reason)
            except Exception:  # whatever it says: it answers
                self._recovered(server)
                raise
            else:
                self._recovered(server)
                return result
        raise Unreachable("ask", reason) if reason else Resting

    def _recovered(self, server: Server) -> None:
        if server.breaker.succeeded():
            _log.warning("a directory server answers again: %s", server.endpoint.url)

    def close(self) -> None:
        """Let go of every connection."""
        for server in self._servers:
            server.pool.close()
