"""Logins with a user name and a password: a bind as the entry, on a connection of its own."""

from __future__ import annotations

import logging
import secrets
import time
from collections import deque
from typing import Final

from visado_ldap.directory import DirectoryConnection
from visado_ldap.errors import ACCOUNT_ERRORS, AccountDisabled, ServerRefused
from visado_ldap.lookup.entry_search import EntrySearch
from visado_ldap.lookup.persons import Person
from visado_ldap.protocol.entries import Entry
from visado_ldap.protocol.responses import SUCCESS, BindRefusal
from visado_ldap.protocol.sockets import Deadline
from visado_ldap.servers.failover import DirectoryServer
from visado_ldap.settings import DirectorySettings

_MAX_BIND_TIMES: Final = 64
_log = logging.getLogger("visado.ldap")


class BindTimes:
    """How long recent binds took, so that a login without an entry takes as long as one with a wrong password."""

    def __init__(self) -> None:
        self._refused: deque[float] = deque(maxlen=_MAX_BIND_TIMES)
        self._accepted: deque[float] = deque(maxlen=_MAX_BIND_TIMES)

    def record(self, seconds: float, *, accepted: bool) -> None:
        """Record how long a bind took."""
        (self._accepted if accepted else self._refused).append(seconds)

    def sample(self) -> float | None:
        """Return the seconds of one recent bind, a refused one if possible; None before the first bind."""
        known = list(self._refused) or list(self._accepted)
        return secrets.choice(known) if known else None


class PasswordLogins:
    """Checks user names and passwords against one directory."""

    def __init__(self, name: str, settings: DirectorySettings, search: EntrySearch) -> None:
        self._name, self._settings, self._search = name, settings, search
        self._bind_times = BindTimes()

    def log_in(self, server: DirectoryServer, deadline: Deadline, username: str, password: bytes) -> Person | None:
        """Return the person with this name and password, or None.

        Raises `ServerUnreachable`, `ServerRefused`, `InvalidValue`, and the errors of `ACCOUNT_ERRORS`.
        """
        if self._settings.user_dn_template:
            return self._log_in_by_template(server, deadline, username, password)
        entries = server.pool.run(lambda each: self._search.by_username(each, username, deadline), deadline)
        if len(entries) != 1:
            if entries:
                _log.warning("%s: several entries match the login name %r: refused", self._name, username)
            self._wait_like_a_bind(server, deadline)
            return None
        entry, start = entries[0], time.monotonic()
        connection = server.connect(deadline)
        try:
            refusal = self._bind(connection, entry.dn, password, deadline)
        finally:
            connection.close()
        self._bind_times.record(time.monotonic() - start, accepted=refusal is None)
        if refusal is not None:
            self._refuse(entry.dn, refusal)
            return None
        if not (self._search.checks_disabled or self._settings.uses_groups):
            return self._search.person(entry, username)
        return server.pool.run(lambda each: self._admit(each, entry, username, deadline), deadline)

    def _log_in_by_template(
        self, server: DirectoryServer, deadline: Deadline, username: str, password: bytes
    ) -> Person | None:
        dn = self._search.dn_of(username)
        connection = server.connect(deadline)
        try:
            refusal = self._bind(connection, dn, password, deadline)
            if refusal is not None:  # the name is not logged: it may be a password that was typed into the wrong field
                self._refuse(self._settings.user_dn_template, refusal)
                return None
            if self._settings.bind_dn:
                return server.pool.run(lambda each: self._admit_dn(each, dn, username, deadline), deadline)
            return self._admit_dn(connection, dn, username, deadline)
        finally:
            connection.close()

    def _bind(
        self, connection: DirectoryConnection, dn: str, password: bytes, deadline: Deadline
    ) -> BindRefusal | None:
        result = connection.bind(dn, password, deadline)
        if result.code != SUCCESS and not result.concerns_account:
            raise ServerRefused(result.code, f"bind: {result.text}")
        return result.refusal()

    def _refuse(self, dn: str, refusal: BindRefusal) -> None:
        """Log why a bind failed. Raises an error of `ACCOUNT_ERRORS` where the password was right."""
        _log.info("%s: the bind of %r is refused: %s", self._name, dn, refusal.text)
        error = ACCOUNT_ERRORS.get(refusal.reason)
        if error is not None:
            raise error

    def _admit_dn(self, connection: DirectoryConnection, dn: str, username: str, deadline: Deadline) -> Person | None:
        entry = self._search.by_dn(connection, dn, deadline, username)
        if entry is None:
            _log.warning(
                "%s: %r has the right password, but cannot be read or does not match search_filter: refused",
                self._name,
                dn,
            )
            return None
        return self._admit(connection, entry, username, deadline)

    def _admit(self, connection: DirectoryConnection, entry: Entry, username: str, deadline: Deadline) -> Person:
        if self._search.checks_disabled and self._search.is_disabled(connection, entry.dn, deadline):
            raise AccountDisabled
        return self._search.person_with_groups(connection, entry, username, deadline)

    def _wait_like_a_bind(self, server: DirectoryServer, deadline: Deadline) -> None:
        """Take as long as a bind: an unknown name must not be refused sooner than a wrong password."""
        seconds = self._bind_times.sample()
        if seconds is not None:
            time.sleep(min(seconds, deadline.seconds_left("wait")))
            return
        connection = server.connect(deadline)
        try:
            connection.read("", deadline, [])
        except ServerRefused:
            pass
        finally:
            connection.close()
