"""Asking a directory step by step, and saying in plain words which step fails and why.

For the operator (`visado ldap:check`), and for the host before it takes new settings.
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
from visado_ldap.credentials import password_of, username_of
from visado_ldap.directory import Connection
from visado_ldap.entry import Endpoint, Entry, Security
from visado_ldap.errors import Invalid, Refused, Unreachable
from visado_ldap.lookup import Lookup
from visado_ldap.settings import Directory, LdapSection
from visado_ldap.wire import SILENT, Address, Deadline, connect, resolve

_HINTS: Final = {
    "resolve": "the name of the server is not known here: check the url and the DNS",
    "connect": "nothing answers there: check host, port and firewall, and that the directory runs",
    "TLS": "check ca_file, the authority of the server's certificate, and that the url has the certificate's name",
    "STARTTLS": "the server does not go on in TLS: use an ldaps:// address, or let its operator set up TLS",
    "bind": "check bind_dn and bind_password",
    "search": "check search_base and search_filter, and what the account of bind_dn may read",
}
_log = logging.getLogger("visado.ldap")


class Failed(Exception):
    """A step failed: the text says which one and why, and is reported."""


@dataclass(slots=True)
class Report:
    """Writes a line per step."""

    write: Callable[[str], object]

    def say(self, step: str, text: str) -> None:
        """Tell how a step went."""
        self.write(f"  {'ok':8}{step:14}{text}")

    def note(self, step: str, text: str) -> None:
        """Tell what is odd, and go on."""
        self.write(f"  {'note':8}{step:14}{text}")

    def fail(self, step: str, text: str) -> Failed:
        """Tell why a step failed."""
        self.write(f"  {'FAILED':8}{step:14}{text}")
        return Failed(f"{step}: {text}")

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        """Explain what goes wrong in a step."""
        try:
            yield
        except Unreachable as error:
            step = name if error.step in {"read", "write", "ask"} else error.step
            raise self._explained(step, error.reason) from None
        except (Refused, Invalid) as error:
            raise self._explained(name, str(error)) from None

    def _explained(self, step: str, reason: str) -> Failed:
        silent = reason == SILENT and step not in {"resolve", "connect"}
        hint = "the server took the connection and fell silent" if silent else _HINTS.get(step)
        return self.fail(step, f"{reason}{' - ' + hint if hint else ''}")


class Check:
    """The steps for one directory. `ask` is for passwords; with `within`, all must be done by then."""

    def __init__(
        self,
        name: str,
        section: Directory,
        report: Report,
        ask: Callable[[str], str] = getpass.getpass,
        within: Deadline | None = None,
    ) -> None:
        self._name, self._section, self._report, self._ask, self._within = name, section, report, ask, within
        self._lookup = Lookup(name, section)
        self._security = Security(section.tls(), section.start_tls)

    def run(self, username: str | None) -> bool:
        """Check every server, and with a user name that login on the first that works; whether all went well."""
        failed: list[Failed] = []
        for endpoint in self._section.endpoints:
            self._report.write(f"{self._name}: {endpoint.url}")
            try:
                self.server(endpoint, username)
            except Failed as each:
                failed.append(each)
        return not failed

    def server(self, endpoint: Endpoint, username: str | None = None) -> None:
        """Check one server. Raises `Failed`."""
        connection = self._connect(endpoint)
        try:
            self._bind(connection)
            entry = self._search(connection, username)
            if entry is not None and username is not None:
                self._groups(connection, entry, username)
        finally:
            connection.close()
        if username is not None and (entry is not None or self._section.user_dn_template):
            self._login(endpoint, entry, username)

    def _connect(self, endpoint: Endpoint) -> Connection:
        addresses = self._resolve(endpoint)
        deadline = self._deadline()
        with self._report.step("connect"):
            connect(addresses, deadline.at_most(self._section.connect_timeout)).close()
        self._report.say("connect", "the server takes connections")
        with self._report.step("TLS"):
            connection = Connection.open(
                endpoint, self._security, self._deadline(), timeout=self._section.connect_timeout, addresses=addresses
            )
        if connection.secured:
            self._report.say("TLS", f"{connection.secured}, and the certificate is good")
        elif endpoint.path:
            self._report.say("TLS", "none: a local socket")
        else:
            self._report.note("TLS", "none: passwords travel in the clear")
        return connection

    def _resolve(self, endpoint: Endpoint) -> list[Address]:
        with self._report.step("resolve"):
            addresses = resolve(endpoint.host, endpoint.port, endpoint.path)
        shown = endpoint.path or ", ".join(str(address[0]) for _, address in addresses)
        self._report.say("resolve", f"{endpoint.host} is {shown}")
        return addresses

    def _bind(self, connection: Connection) -> None:
        with self._report.step("bind"):
            self._lookup.bind_account(connection, self._deadline())
        self._report.say("bind", self._section.bind_dn or "anonymous")

    def _search(self, connection: Connection, username: str | None) -> Entry | None:
        if not self._section.search_base:
            self._report.note("search", "not needed: user_dn_template says where entries are")
            return None
        base = self._section.search_base
        with self._report.step("search"):
            if connection.read(base, self._deadline(), []) is None:
                raise self._report.fail("search", f"{base} does not exist, or may not be read: check search_base")
            found = self._lookup.entries(connection, username, self._deadline()) if username is not None else []
        if username is None:
            self._report.say("search", f"{base} can be read")
            return None
        if len(found) != 1:
            many = "several entries fit: every login of them is refused" if found else "no entry fits"
            raise self._report.fail("search", f"{many}: {self._section.search_filter} below {base}, for {username!r}")
        return self._found(found[0])

    def _found(self, entry: Entry) -> Entry:
        with self._report.step("search"):
            person = self._lookup.person(entry)
        self._report.say("search", f"{person.dn}, stable id {person.subject}")
        return entry

    def _groups(self, connection: Connection, entry: Entry, username: str) -> None:
        if not self._section.wants_groups:
            self._report.note("groups", "not asked for: neither group_profiles nor group_pattern is set")
            return
        name = entry.text(self._section.username_attribute) or username
        with self._report.step("groups"):
            groups = self._lookup.groups.of(connection, entry, name, self._deadline())
        profiles = self._lookup.groups.profiles(groups)
        self._report.say("groups", f"{len(groups)}: {'; '.join(sorted(groups)[:10]) or 'none'}")
        self._report.say("profiles", ", ".join(profiles) or "none by groups")

    def _login(self, endpoint: Endpoint, entry: Entry | None, username: str) -> None:
        password = password_of(self._ask(f"Password of {username} (empty: leave out the last step): "))
        if password is None:
            self._report.note("user bind", "left out")
            return
        with self._report.step("user bind"):
            connection = self._lookup.open(endpoint, self._deadline())
            try:
                dn = entry.dn if entry is not None else self._lookup.dn(username)
                answer = connection.bind(dn, password, self._deadline())
            finally:
                connection.close()
        refusal = answer.refusal()
        if refusal is not None:
            raise self._report.fail("user bind", refusal.words)
        self._report.say("user bind", "the password is right")

    def _deadline(self) -> Deadline:
        longest = self._section.timeout
        return self._within.at_most(longest) if self._within is not None else Deadline.after(longest)


def rehearse(name: str, section: Directory, deadline: Deadline) -> None:
    """Check the servers in the order of trial, until one works. Raises `errors.StrategyRejected` where none does."""
    check = Check(name, section, Report(_log.debug), within=deadline)
    reasons: list[str] = []
    for endpoint in section.endpoints:
        try:
            check.server(endpoint)
        except Failed as failed:
            reasons.append(f"{endpoint.url}: {failed}")
        else:
            return
    raise errors.StrategyRejected(reason="; ".join(reasons))


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Check one directory, or all."""
    sections = settings[LdapSection].directories
    asked: str | None = arguments.name
    chosen = {name: each for name, each in sections.items() if asked in {None, name}}
    if not chosen:
        known = ", ".join(sections) or "there is none: see [ldap.directories.<name>]"
        return _complain(f"no directory {asked or ''} is configured ({known})", 2)
    if arguments.username is not None and username_of(arguments.username) is None:
        return _complain("no directory has such a user name", 2)
    try:
        good = [
            Check(name, each, Report(_print), getpass.getpass).run(arguments.username) for name, each in chosen.items()
        ]
    except errors.VisadoError as error:
        return _complain(str(error), 1)
    return 0 if all(good) else 1


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _complain(text: str, code: int) -> int:
    sys.stderr.write(f"visado: {text}\n")
    return code
