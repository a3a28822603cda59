"""The diagnosis of a directory: each step of a login is tried, and a failure is explained.

For operators (`visado ldap:check`), and for the host before it accepts new settings.
"""

from __future__ import annotations

import argparse
import getpass
import logging
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from visado import Settings, errors
from visado_ldap.credentials import read_password, read_username
from visado_ldap.directory import DirectoryConnection
from visado_ldap.errors import InvalidValue, ServerRefused, ServerUnreachable
from visado_ldap.lookup.directory_lookup import DirectoryLookup
from visado_ldap.protocol.entries import Entry, ServerAddress, TlsSetup
from visado_ldap.protocol.sockets import NO_RESPONSE, Deadline, SocketAddress, connect, resolve
from visado_ldap.settings import DirectorySettings, LdapSection

_HINTS: Final = {
    "resolve": "the host name is unknown on this machine: check url and DNS",
    "connect": "no server listens there: check host, port and firewall, and whether the directory runs",
    "TLS": "check ca_file, the issuer of the server's certificate, and that url has the certificate's host name",
    "STARTTLS": "the server does not accept STARTTLS: use an ldaps:// address, or set up TLS on the server",
    "bind": "check bind_dn and bind_password",
    "search": "check search_base, search_filter, and the read permissions of bind_dn",
}
_CONNECTED_BUT_SILENT: Final = "the server accepted the connection but does not respond"
_MAX_SHOWN_GROUPS: Final = 10
_USAGE_ERROR: Final = 2
_log = logging.getLogger("visado.ldap")


class StepFailed(Exception):
    """A step failed and is reported; the text says which one, and why."""


@dataclass(slots=True)
class StepReport:
    """Writes a line for each step."""

    write: Callable[[str], object]

    def passed(self, step: str, text: str) -> None:
        """Report that a step passed."""
        self.write(f"  {'ok':8}{step:14}{text}")

    def note(self, step: str, text: str) -> None:
        """Report a remark that is no failure."""
        self.write(f"  {'note':8}{step:14}{text}")

    def fail(self, step: str, text: str) -> StepFailed:
        """Report a failure, and return the error to raise."""
        self.write(f"  {'FAILED':8}{step:14}{text}")
        return StepFailed(f"{step}: {text}")

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        """Report and explain what the block raises. Raises `StepFailed` in its place."""
        try:
            yield
        except ServerUnreachable as error:
            step = name if error.step in {"read", "write", "ask"} else error.step
            raise self._fail_with_hint(step, error.reason) from None
        except (ServerRefused, InvalidValue) as error:
            raise self._fail_with_hint(name, str(error)) from None

    def _fail_with_hint(self, step: str, reason: str) -> StepFailed:
        silent = reason == NO_RESPONSE and step not in {"resolve", "connect"}
        hint = _CONNECTED_BUT_SILENT if silent else _HINTS.get(step)
        return self.fail(step, f"{reason}{' - ' + hint if hint else ''}")


class DirectoryDiagnosis:
    """The steps for one directory.

    `ask_password` prompts for a password. With `deadline`, every step must end by then; without, each step has
    the time-out of the settings.
    """

    def __init__(
        self,
        name: str,
        settings: DirectorySettings,
        report: StepReport,
        ask_password: Callable[[str], str] = getpass.getpass,
        deadline: Deadline | None = None,
    ) -> None:
        self._name, self._settings, self._report = name, settings, report
        self._ask_password, self._until = ask_password, deadline
        self._lookup = DirectoryLookup(name, settings)
        self._tls = TlsSetup(settings.tls_context(), settings.start_tls)

    def run(self, username: str | None) -> bool:
        """Test every server; with a user name, also its entry and its password. Return whether all steps passed."""
        failures: list[StepFailed] = []
        for address in self._settings.servers:
            self._report.write(f"{self._name}: {address.url}")
            try:
                self.test_server(address, username)
            except StepFailed as failed:
                failures.append(failed)
        return not failures

    def test_server(self, address: ServerAddress, username: str | None = None) -> None:
        """Test one server. Raises `StepFailed`."""
        connection = self._connect(address)
        try:
            self._bind(connection)
            entry = self._search(connection, username)
            if entry is not None and username is not None:
                self._find_groups(connection, entry, username)
        finally:
            connection.close()
        if username is not None and (entry is not None or self._settings.user_dn_template):
            self._log_in(address, entry, username)

    def _connect(self, address: ServerAddress) -> DirectoryConnection:
        addresses = self._resolve(address)
        deadline = self._deadline()
        with self._report.step("connect"):
            connect(addresses, deadline.limited_to(self._settings.connect_timeout)).close()
        self._report.passed("connect", "the server accepts connections")
        with self._report.step("TLS"):
            connection = DirectoryConnection.open(
                address, self._tls, self._deadline(), timeout=self._settings.connect_timeout, addresses=addresses
            )
        if connection.tls_version:
            self._report.passed("TLS", f"{connection.tls_version}, and the certificate is valid")
        elif address.path:
            self._report.passed("TLS", "none: a local socket")
        else:
            self._report.note("TLS", "none: passwords are sent in the clear")
        return connection

    def _resolve(self, address: ServerAddress) -> list[SocketAddress]:
        with self._report.step("resolve"):
            addresses = resolve(address.host, address.port, address.path)
        text = address.path or ", ".join(str(each[0]) for _, each in addresses)
        self._report.passed("resolve", f"{address.host} is {text}")
        return addresses

    def _bind(self, connection: DirectoryConnection) -> None:
        with self._report.step("bind"):
            self._lookup.bind_search_account(connection, self._deadline())
        self._report.passed("bind", self._settings.bind_dn or "anonymous")

    def _search(self, connection: DirectoryConnection, username: str | None) -> Entry | None:
        base = self._settings.search_base
        if not base:
            self._report.note("search", "not needed: user_dn_template gives the DN")
            return None
        entries: list[Entry] = []
        with self._report.step("search"):
            if connection.read(base, self._deadline(), []) is None:
                raise self._report.fail("search", f"{base} does not exist or cannot be read: check search_base")
            if username is not None:
                entries = self._lookup.search.by_username(connection, username, self._deadline())
        if username is None:
            self._report.passed("search", f"{base} can be read")
            return None
        if len(entries) != 1:
            count = "several entries match, so every login is refused" if entries else "no entry matches"
            text = f"{count}: {self._settings.search_filter} below {base}, for {username!r}"
            raise self._report.fail("search", text)
        with self._report.step("search"):
            person = self._lookup.search.person(entries[0])
        self._report.passed("search", f"{person.dn}, stable id {person.subject}")
        return entries[0]

    def _find_groups(self, connection: DirectoryConnection, entry: Entry, username: str) -> None:
        if not self._settings.uses_groups:
            self._report.note("groups", "not searched: neither group_profiles nor group_pattern is set")
            return
        name = entry.text(self._settings.username_attribute) or username
        with self._report.step("groups"):
            groups = self._lookup.groups.find(connection, entry, name, self._deadline())
        profiles = self._lookup.groups.profiles(groups)
        self._report.passed("groups", f"{len(groups)}: {'; '.join(sorted(groups)[:_MAX_SHOWN_GROUPS]) or 'none'}")
        self._report.passed("profiles", ", ".join(profiles) or "none by groups")

    def _log_in(self, address: ServerAddress, entry: Entry | None, username: str) -> None:
        password = read_password(self._ask_password(f"Password of {username} (empty: skip this step): "))
        if password is None:
            self._report.note("user bind", "skipped")
            return
        with self._report.step("user bind"):
            connection = self._lookup.connect(address, self._deadline())
            try:
                dn = entry.dn if entry is not None else self._lookup.search.dn_of(username)
                result = connection.bind(dn, password, self._deadline())
            finally:
                connection.close()
        refusal = result.refusal()
        if refusal is not None:
            raise self._report.fail("user bind", refusal.text)
        self._report.passed("user bind", "the password is right")

    def _deadline(self) -> Deadline:
        seconds = self._settings.timeout
        return self._until.limited_to(seconds) if self._until is not None else Deadline.after(seconds)


def rehearse(name: str, settings: DirectorySettings, deadline: Deadline) -> None:
    """Test the servers in the order of failover until one passes. Raises `errors.StrategyRejected` if none does."""
    diagnosis = DirectoryDiagnosis(name, settings, StepReport(_log.debug), deadline=deadline)
    reasons: list[str] = []
    for address in settings.servers:
        try:
            diagnosis.test_server(address)
        except StepFailed as failed:
            reasons.append(f"{address.url}: {failed}")
        else:
            return
    raise errors.StrategyRejected(reason="; ".join(reasons))


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Test one directory, or all of them; return the exit code."""
    directories = settings[LdapSection].directories
    name: str | None = arguments.name
    chosen = {each: section for each, section in directories.items() if name in {None, each}}
    if not chosen:
        known = ", ".join(directories) or "none: add [ldap.directories.<name>]"
        return _fail(f"no directory {name or ''} in the settings; directories: {known}", _USAGE_ERROR)
    if arguments.username is not None and read_username(arguments.username) is None:
        return _fail("the user name is empty, too long or has control characters", _USAGE_ERROR)
    try:
        passed = [
            DirectoryDiagnosis(each, section, StepReport(_print), getpass.getpass).run(arguments.username)
            for each, section in chosen.items()
        ]
    except errors.VisadoError as error:
        return _fail(str(error), 1)
    return 0 if all(passed) else 1


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _fail(text: str, code: int) -> int:
    sys.stderr.write(f"visado: {text}\n")
    return code
