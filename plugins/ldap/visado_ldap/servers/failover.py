"""Failover: the first server of a directory that responds does the work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, TypeVar

from visado_ldap.directory import DirectoryConnection
from visado_ldap.errors import AllServersPaused, ServerUnreachable
from visado_ldap.protocol.entries import ServerAddress
from visado_ldap.protocol.sockets import Deadline
from visado_ldap.servers.breaker import CircuitBreaker
from visado_ldap.servers.pool import ConnectionPool

T = TypeVar("T")
Connect: TypeAlias = Callable[[ServerAddress, Deadline], DirectoryConnection]

_ASKING_PART: Final = 0.96
"""The part of the time-out in which a server must respond; the rest is for the response to the client."""
_SECOND_SERVER_SECONDS: Final = 0.75
"""The seconds beyond the time-out that a directory with several servers gets."""

_log = logging.getLogger("visado.ldap")


class DirectoryServer:
    """One server: new connections for logins, pooled connections for the search account."""

    def __init__(self, address: ServerAddress, connect: Connect, connect_bound: Connect, pool_size: int) -> None:
        self.address = address
        self.breaker = CircuitBreaker()
        self.pool = ConnectionPool(lambda deadline: connect_bound(address, deadline), pool_size)
        self._connect = connect

    def connect(self, deadline: Deadline) -> DirectoryConnection:
        """Open a connection that is not bound. Raises `ServerUnreachable`."""
        return self._connect(self.address, deadline)


class Failover:
    """The servers of a directory in their order. `timeout` is in seconds; `max_seconds` bounds `run`."""

    def __init__(self, servers: Sequence[DirectoryServer], timeout: float) -> None:
        self._servers = list(servers)
        self._server_seconds = timeout * _ASKING_PART
        self.max_seconds = self._server_seconds if len(self._servers) == 1 else timeout + _SECOND_SERVER_SECONDS

    def run(self, work: Callable[[DirectoryServer, Deadline], T], deadline: Deadline | None = None) -> T:
        """Run `work` with the first server that responds, and return its result.

        One server does all of it: a change may not have reached another server yet. Raises `ServerUnreachable`
        when no server responds, and as `work`.
        """
        whole = deadline or Deadline.after(self.max_seconds)
        reason = ""
        for server in self._servers:
            if whole.passed or not server.breaker.admit():
                continue
            try:
                result = work(server, whole.limited_to(self._server_seconds))
            except ServerUnreachable as error:
                reason = f"{server.address.url}: {error}"
                write = _log.warning if server.breaker.record_failure() else _log.debug
                write("a directory server fails and is paused: %s", reason)
            except Exception:  # any other error is a response
                self._record_success(server)
                raise
            else:
                self._record_success(server)
                return result
        raise ServerUnreachable("ask", reason) if reason else AllServersPaused

    def _record_success(self, server: DirectoryServer) -> None:
        if server.breaker.record_success():
            _log.warning("a directory server responds again: %s", server.address.url)

    def close(self) -> None:
        """Close every pooled connection."""
        for server in self._servers:
            server.pool.close()
