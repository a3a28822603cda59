"""One directory: every question that visado asks it, with failover and pooled connections."""

from __future__ import annotations

import time
from collections.abc import Sequence

from visado import Clock
from visado_ldap.directory import DirectoryConnection
from visado_ldap.errors import ServerUnreachable
from visado_ldap.lookup.entry_search import EntrySearch
from visado_ldap.lookup.groups import GroupLookup
from visado_ldap.lookup.logins import PasswordLogins
from visado_ldap.lookup.persons import EntryQuery, Person
from visado_ldap.protocol.entries import Entry, ServerAddress, TlsSetup
from visado_ldap.protocol.sockets import Deadline
from visado_ldap.servers.failover import DirectoryServer, Failover
from visado_ldap.settings import DirectorySettings


def system_clock() -> int:
    """Return the time of this machine, in milliseconds since 1970: for commands, which have no host."""
    return time.time_ns() // 1_000_000


class DirectoryLookup:
    """A directory as its settings describe it. A method without `deadline` ends within `servers.max_seconds`."""

    def __init__(self, name: str, settings: DirectorySettings, clock: Clock = system_clock) -> None:
        self._settings = settings
        self._tls = TlsSetup(settings.tls_context(), settings.start_tls)
        self.groups = GroupLookup(settings)
        self.search = EntrySearch(settings, self.groups, clock)
        self._logins = PasswordLogins(name, settings, self.search)
        servers = [
            DirectoryServer(address, self.connect, self._connect_bound, settings.pool_size)
            for address in settings.servers
        ]
        self.servers = Failover(servers, settings.timeout)

    def connect(self, address: ServerAddress, deadline: Deadline) -> DirectoryConnection:
        """Open a connection that is not bound. Raises `ServerUnreachable`."""
        return DirectoryConnection.open(address, self._tls, deadline, timeout=self._settings.connect_timeout)

    def _connect_bound(self, address: ServerAddress, deadline: Deadline) -> DirectoryConnection:
        connection = self.connect(address, deadline)
        try:
            self.bind_search_account(connection, deadline)
        except BaseException:
            connection.drop()
            raise
        return connection

    def bind_search_account(self, connection: DirectoryConnection, deadline: Deadline) -> None:
        """Bind as the account of `bind_dn`. Raises `ServerUnreachable`, also where the server refuses the account.

        Then the next server is asked, and the breaker protects the account from being locked.
        """
        if not self._settings.bind_dn:
            return
        try:
            password = self._settings.read_bind_password()
        except OSError as error:
            raise ServerUnreachable("bind", f"bind_password_file cannot be read: {error.strerror}") from None
        refusal = connection.bind(self._settings.bind_dn, password, deadline).refusal()
        if refusal is not None:
            raise ServerUnreachable("bind", f"the account {self._settings.bind_dn!r} is refused: {refusal.text}")

    def log_in(self, username: str, password: bytes, deadline: Deadline | None = None) -> Person | None:
        """Return the person with this name and password, or None. Raises as `PasswordLogins.log_in`."""
        return self.servers.run(lambda server, until: self._logins.log_in(server, until, username, password), deadline)

    def find(self, query: EntryQuery, deadline: Deadline | None = None) -> Person:
        """Return the one person that credentials name.

        Raises `EntryNotFound`, `EntryAmbiguous`, `ServerUnreachable`, `ServerRefused`, `InvalidValue`.
        """

        def ask(server: DirectoryServer, until: Deadline) -> Person:
            return server.pool.run(lambda each: self.search.by_query(each, query, until), until)

        return self.servers.run(ask, deadline)

    def permitted(self, known: Sequence[tuple[str, str]], deadline: Deadline | None = None) -> list[Entry]:
        """Return the entries among `(subject, dn)` that may still log in. Raises as `find`."""

        def ask(server: DirectoryServer, until: Deadline) -> list[Entry]:
            return server.pool.run(lambda each: self.search.permitted(each, known, until), until)

        return self.servers.run(ask, deadline)

    def describe(self, entry: Entry, deadline: Deadline | None = None) -> Person:
        """Return the person of an entry, with its groups. Raises as `find`."""
        if not self._settings.uses_groups:
            return self.search.person(entry)

        def ask(server: DirectoryServer, until: Deadline) -> Person:
            return server.pool.run(lambda each: self.search.person_with_groups(each, entry, "", until), until)

        return self.servers.run(ask, deadline)

    def close(self) -> None:
        """Close every pooled connection."""
        self.servers.close()
