"""What is asked of a directory: logins, entries for credentials, and who is still there.

Everything here blocks, and runs in worker threads. Does not own who a person is in visado (`accounts`).
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from visado_ldap import directory
from visado_ldap.directory import Connection
from visado_ldap.entry import Endpoint, Entry, Security, stable_id
from visado_ldap.errors import AFTER_THE_PASSWORD, AccountDisabled, EntryAmbiguous, EntryNotFound, Refused, Unreachable
from visado_ldap.groups import Groups
from visado_ldap.presets import PRESETS
from visado_ldap.refusals import SUCCESS, Refusal
from visado_ldap.servers import Server, Servers
from visado_ldap.settings import PLACE, Directory
from visado_ldap.wire import Deadline

_TWO: Final = 2
_REMEMBERED: Final = 64
_WINDOWS_EPOCH: Final = 11_644_473_600
_SIMPLE_PLACE: Final = re.compile(r"(?<![:~<>])=[^=()]*\{username\}")
_log = logging.getLogger("visado.ldap")


@dataclass(frozen=True, slots=True)
class Person:
    """An entry of a person: its stable id, where it is now, and what else of it visado wants."""

    subject: str
    dn: str
    username: str
    attributes: dict[str, Any]
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entry credentials name: by user name, by DN, or by a filter below a base."""

    username: str = ""
    dn: str = ""
    base: str = ""
    where: str = ""


class Pace:
    """How long refused binds take, so that a login without an entry can take as long."""

    def __init__(self) -> None:
        self._refused: deque[float] = deque(maxlen=_REMEMBERED)
        self._accepted: deque[float] = deque(maxlen=_REMEMBERED)

    def note(self, seconds: float, *, accepted: bool) -> None:
        """Remember how long a bind took."""
        (self._accepted if accepted else self._refused).append(seconds)

    def sample(self) -> float | None:
        """How long one of the last binds took; None before the first."""
        known = list(self._refused) or list(self._accepted)
        return secrets.choice(known) if known else None


class Lookup:
    """One directory, as its settings describe it."""

    def __init__(self, name: str, section: Directory) -> None:
        self.name, self.section = name, section
        self._security = Security(section.tls(), section.start_tls)
        self.groups = Groups(section)
        self._pace = Pace()
        servers = [Server(each, self.open, self._open_bound, section.pool_size) for each in section.endpoints]
        self.servers = Servers(servers, section.timeout)
        mapped = section.attributes.values()
        self._attributes = list(
            dict.fromkeys([section.id_attribute, section.username_attribute, *mapped, *self.groups.attributes])
        )
        preset = PRESETS[section.preset]["disabled_filter"]
        self._checks_disabled = bool(section.disabled_filter) and section.disabled_filter != preset

    def open(self, endpoint: Endpoint, deadline: Deadline) -> Connection:
        """Make a connection that nobody is bound on. Raises `Unreachable`."""
        return Connection.open(endpoint, self._security, deadline, timeout=self.section.connect_timeout)

    def _open_bound(self, endpoint: Endpoint, deadline: Deadline) -> Connection:
        connection = self.open(endpoint, deadline)
        try:
            self.bind_account(connection, deadline)
        except BaseException:
            connection.drop()
            raise
        return connection

    def bind_account(self, connection: Connection, deadline: Deadline) -> None:
        """Bind as the account that looks for entries. Raises `Unreachable`."""
        if not self.section.bind_dn:
            return
        try:
            password = self.section.password()
        except OSError as error:
            raise Unreachable("bind", f"bind_password_file cannot be read: {error.strerror}") from None
        answer = connection.bind(self.section.bind_dn, password, deadline)
        refusal = answer.refusal()
        if refusal is not None:  # the next server may know the account; and none is asked so often that it locks it
            raise Unreachable("bind", f"the account {self.section.bind_dn!r} is refused: {refusal.words}")

    # -- logging in

    def login(self, username: str, password: bytes, deadline: Deadline | None = None) -> Person | None:
        """The person with this name and password; None where there is none.

        Raises `Unreachable`, `Refused`, `Invalid`, and the errors of `AFTER_THE_PASSWORD`.
        """
        return self.servers.run(lambda server, until: self._login(server, until, username, password), deadline)

    def _login(self, server: Server, deadline: Deadline, username: str, password: bytes) -> Person | None:
        if self.section.user_dn_template:
            return self._login_by_template(server, deadline, username, password)
        found = server.pool.run(lambda connection: self.entries(connection, username, deadline), deadline)
        if len(found) != 1:
            if found:
                _log.warning("%s: several entries fit the login name %r: refused", self.name, username)
            self._take_time(server, deadline)
            return None
        entry, start = found[0], time.monotonic()
        connection = server.fresh(deadline)
        try:
            refusal = self._bind(connection, entry.dn, password, deadline)
        finally:
            connection.close()
        self._pace.note(time.monotonic() - start, accepted=refusal is None)
        if refusal is not None:
            self._refuse(entry.dn, refusal)
            return None
        if not (self._checks_disabled or self.section.wants_groups):
            return self.person(entry, username, frozenset())
        return server.pool.run(lambda each: self._admit(each, entry, username, deadline), deadline)

    def _login_by_template(self, server: Server, deadline: Deadline, username: str, password: bytes) -> Person | None:
        dn = self.dn(username)
        connection = server.fresh(deadline)
        try:
            refusal = self._bind(connection, dn, password, deadline)
            if refusal is not None:
                self._refuse(dn, refusal)
                return None
            if self.section.bind_dn:
                return server.pool.run(lambda each: self._admit_dn(each, dn, username, deadline), deadline)
            return self._admit_dn(connection, dn, username, deadline)
        finally:
            connection.close()

    def _bind(self, connection: Connection, dn: str, password: bytes, deadline: Deadline) -> Refusal | None:
        answer = connection.bind(dn, password, deadline)
        if answer.code != SUCCESS and not answer.of_the_account:
            raise Refused(answer.code, f"bind: {answer.words}")
        return answer.refusal()

    def _refuse(self, dn: str, refusal: Refusal) -> None:
        _log.info("%s: the bind of %r is refused: %s", self.name, dn, refusal.words)
        error = AFTER_THE_PASSWORD.get(refusal.kind)
        if error is not None:
            raise error

    def _admit_dn(self, connection: Connection, dn: str, username: str, deadline: Deadline) -> Person | None:
        where = self._filter(username) if self.section.search_base else ""
        entry = connection.read(dn, deadline, self._attributes, where)
        if entry is None:
            _log.warning("%s: %r may log in, but its entry cannot be read, or does not fit: refused", self.name, dn)
            return None
        return self._admit(connection, entry, username, deadline)

    def _admit(self, connection: Connection, entry: Entry, username: str, deadline: Deadline) -> Person:
        if self._checks_disabled and connection.read(entry.dn, deadline, [], self._disabled()) is not None:
            raise AccountDisabled
        name = entry.text(self.section.username_attribute) or username
        return self.person(entry, username, self.groups.of(connection, entry, name, deadline))

    def _take_time(self, server: Server, deadline: Deadline) -> None:
        """Take as long as a bind, without one: who is not there is refused no sooner than a wrong password."""
        seconds = self._pace.sample()
        if seconds is not None:
            time.sleep(min(seconds, deadline.left("wait")))
            return
        connection = server.fresh(deadline)
        try:
            connection.read("", deadline, [])
        except Refused:
            pass
        finally:
            connection.close()

    # -- entries

    def find(self, wanted: Wanted, deadline: Deadline | None = None) -> Person:
        """The one entry that credentials name. Raises `EntryNotFound`, `EntryAmbiguous`, and as `login`."""

        def ask(server: Server, until: Deadline) -> Person:
            return server.pool.run(lambda connection: self._find(connection, wanted, until), until)

        return self.servers.run(ask, deadline)

    def _find(self, connection: Connection, wanted: Wanted, deadline: Deadline) -> Person:
        found: list[Entry]
        dn = wanted.dn or (self.dn(wanted.username) if wanted.username and not self.section.search_base else "")
        if dn:
            entry = connection.read(dn, deadline, self._attributes)
            found = [entry] if entry is not None else []
        elif wanted.username:
            found = self.entries(connection, wanted.username, deadline)
        else:
            found = self._search_below(connection, wanted, deadline)
        if not found:
            raise EntryNotFound
        if len(found) > 1:
            raise EntryAmbiguous
        name = found[0].text(self.section.username_attribute) or wanted.username
        return self.person(found[0], name, self.groups.of(connection, found[0], name, deadline))

    def entries(self, connection: Connection, username: str, deadline: Deadline) -> list[Entry]:
        """The entries that fit a login name, at most two. Raises as `Connection.search`."""
        section = self.section
        return connection.search(
            section.search_base, self._filter(username), deadline,
            scope=section.search_scope, attributes=self._attributes, limit=_TWO,
        )  # fmt: skip

    def _search_below(self, connection: Connection, wanted: Wanted, deadline: Deadline) -> list[Entry]:
        base = wanted.base or self.section.search_base
        try:
            return connection.search(base, wanted.where, deadline, attributes=self._attributes, limit=_TWO)
        except Refused as error:
            if wanted.base and error.code in {32, 34}:
                raise EntryNotFound from None
            raise

    def _filter(self, username: str) -> str:
        return self.section.search_filter.replace(PLACE, directory.filter_value(username))

    def dn(self, username: str) -> str:
        """The DN that a login name has by the template."""
        return self.section.user_dn_template.replace(PLACE, directory.rdn_value(username))

    def _disabled(self) -> str:
        now = int((time.time() + _WINDOWS_EPOCH) * 10_000_000)
        return self.section.disabled_filter.replace("{filetime}", str(now))

    def person(self, entry: Entry, username: str = "", groups: frozenset[str] = frozenset()) -> Person:
        """What visado wants of an entry. Raises `Refused` where the stable id is not shown."""
        subject = stable_id(entry, self.section.id_attribute)
        if subject is None:
            raise Refused(SUCCESS, f"the entry {entry.dn!r} shows no {self.section.id_attribute}")
        attributes: dict[str, Any] = {}
        for name, attribute in self.section.attributes.items():
            values = entry.texts(attribute)
            if values:
                attributes[name] = values[0] if len(values) == 1 else values
        shown = entry.text(self.section.username_attribute) or username
        return Person(subject, entry.dn, shown, attributes, groups)

    # -- who is still there

    def present(self, known: Sequence[tuple[str, str]], deadline: Deadline | None = None) -> list[Entry]:
        """The entries among `(subject, dn)` that may still log in. Raises as `login`."""

        def ask(server: Server, until: Deadline) -> list[Entry]:
            find = self._still_below if self.section.search_base else self._still_there
            return server.pool.run(lambda connection: find(connection, known, until), until)

        return self.servers.run(ask, deadline)

    def describe(self, entry: Entry, deadline: Deadline | None = None) -> Person:
        """The person of an entry, with its groups. Raises as `login`."""
        name = entry.text(self.section.username_attribute) or ""

        def ask(server: Server, until: Deadline) -> Person:
            groups = server.pool.run(lambda connection: self.groups.of(connection, entry, name, until), until)
            return self.person(entry, name, groups)

        return self.servers.run(ask, deadline) if self.section.wants_groups else self.person(entry, name)

    def _still_below(self, connection: Connection, known: Sequence[tuple[str, str]], deadline: Deadline) -> list[Entry]:
        base, scope = self.section.search_base, self.section.search_scope
        ids = "".join(directory.id_filter(subject, self.section.id_attribute) for subject, _ in known)
        where = f"(&(|{ids}){self._anybody()})"
        entries = connection.search(base, where, deadline, scope=scope, attributes=self._attributes)
        if not self.section.disabled_filter:
            return entries
        disabled = connection.search(base, f"(&(|{ids}){self._disabled()})", deadline, scope=scope)
        out = {entry.dn for entry in disabled}
        return [entry for entry in entries if entry.dn not in out]

    def _still_there(self, connection: Connection, known: Sequence[tuple[str, str]], deadline: Deadline) -> list[Entry]:
        """Entries that a template finds are where they were, or gone."""
        found: list[Entry] = []
        for subject, dn in known:
            entry = connection.read(dn, deadline, self._attributes)
            if entry is None or stable_id(entry, self.section.id_attribute) != subject:
                continue
            if self.section.disabled_filter and connection.read(dn, deadline, [], self._disabled()) is not None:
                continue
            found.append(entry)
        return found

    def _anybody(self) -> str:
        """The search filter for any name, where it can be said."""
        where = self.section.search_filter
        simple = where.count(PLACE) == len(_SIMPLE_PLACE.findall(where))
        return where.replace(PLACE, "*") if simple else ""

    def close(self) -> None:
        """Let go of every connection."""
        self.servers.close()
