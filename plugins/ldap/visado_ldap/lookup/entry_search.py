"""Searches for the entries of persons, on a connection that the caller lends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from visado import Clock
from visado_ldap.directory import DirectoryConnection, escape_filter_value, escape_rdn_value, stable_id_filter
from visado_ldap.errors import EntryAmbiguous, EntryNotFound, ServerRefused
from visado_ldap.lookup.groups import GroupLookup
from visado_ldap.lookup.persons import EntryQuery, Person
from visado_ldap.presets import PRESETS
from visado_ldap.protocol.entries import Entry, stable_id
from visado_ldap.protocol.responses import INVALID_DN, NO_SUCH_OBJECT, SUCCESS
from visado_ldap.protocol.sockets import Deadline
from visado_ldap.settings import FILETIME, USERNAME, DirectorySettings

_TWO_ENTRIES: Final = 2
"""One more than a login needs: enough to know that a name is ambiguous."""
_FILETIME_EPOCH_MS: Final = 11_644_473_600_000
"""Milliseconds from 1601, where Windows starts to count, to 1970."""
_FILETIME_UNITS_PER_MS: Final = 10_000
_USERNAME_AS_WHOLE_VALUE: Final = re.compile(r"(?<![:~<>])=[^=()]*\{username\}")


class EntrySearch:
    """Searches one directory as its settings describe."""

    def __init__(self, settings: DirectorySettings, groups: GroupLookup, clock: Clock) -> None:
        self._settings, self._groups, self._clock = settings, groups, clock
        names = [settings.id_attribute, settings.username_attribute, *settings.attributes.values(), *groups.attributes]
        self._attributes = list(dict.fromkeys(names))

    @property
    def checks_disabled(self) -> bool:
        """Whether a login must search with `disabled_filter`: a bind already checks the preset's own filter."""
        preset = PRESETS[self._settings.preset]["disabled_filter"]
        return bool(self._settings.disabled_filter) and self._settings.disabled_filter != preset

    def by_username(self, connection: DirectoryConnection, username: str, deadline: Deadline) -> list[Entry]:
        """Return the entries that a login name matches, at most two. Raises as `DirectoryConnection.search`."""
        settings = self._settings
        return connection.search(
            settings.search_base, self._filter(username), deadline,
            scope=settings.search_scope, attributes=self._attributes, limit=_TWO_ENTRIES,
        )  # fmt: skip

    def by_dn(
        self, connection: DirectoryConnection, dn: str, deadline: Deadline, username: str | None = None
    ) -> Entry | None:
        """Return the entry of a DN; with `username`, only where a login with this name would match it."""
        where = self._filter(username) if username is not None and self._settings.search_base else ""
        return connection.read(dn, deadline, self._attributes, where)

    def by_query(self, connection: DirectoryConnection, query: EntryQuery, deadline: Deadline) -> Person:
        """Return the one person that credentials name. Raises `EntryNotFound`, `EntryAmbiguous`."""
        entries: list[Entry]
        by_template = bool(query.username) and not self._settings.search_base
        dn = query.dn or (self.dn_of(query.username) if by_template else "")
        if dn:
            entry = self.by_dn(connection, dn, deadline)
            entries = [entry] if entry is not None else []
        elif query.username:
            entries = self.by_username(connection, query.username, deadline)
        else:
            entries = self._below(connection, query, deadline)
        if not entries:
            raise EntryNotFound
        if len(entries) > 1:
            raise EntryAmbiguous
        return self.person_with_groups(connection, entries[0], query.username, deadline)

    def _below(self, connection: DirectoryConnection, query: EntryQuery, deadline: Deadline) -> list[Entry]:
        base = query.base or self._settings.search_base
        try:
            return connection.search(base, query.where, deadline, attributes=self._attributes, limit=_TWO_ENTRIES)
        except ServerRefused as error:
            if query.base and error.code in {NO_SUCH_OBJECT, INVALID_DN}:
                raise EntryNotFound from None
            raise

    def dn_of(self, username: str) -> str:
        """Return the DN that `user_dn_template` gives a login name."""
        return self._settings.user_dn_template.replace(USERNAME, escape_rdn_value(username))

    def is_disabled(self, connection: DirectoryConnection, dn: str, deadline: Deadline) -> bool:
        """Return whether an entry matches `disabled_filter`."""
        return connection.read(dn, deadline, [], self._disabled_filter()) is not None

    def person(self, entry: Entry, username: str = "", groups: frozenset[str] = frozenset()) -> Person:
        """Return the person of an entry. Raises `ServerRefused` where the account cannot read the stable id."""
        settings = self._settings
        subject = stable_id(entry, settings.id_attribute)
        if subject is None:
            raise ServerRefused(SUCCESS, f"the entry {entry.dn!r} shows no {settings.id_attribute}")
        attributes: dict[str, Any] = {}
        for name, attribute in settings.attributes.items():
            values = entry.texts(attribute)
            if values:
                attributes[name] = values[0] if len(values) == 1 else values
        return Person(subject, entry.dn, entry.text(settings.username_attribute) or username, attributes, groups)

    def person_with_groups(
        self, connection: DirectoryConnection, entry: Entry, username: str, deadline: Deadline
    ) -> Person:
        """Return the person of an entry, with its groups. Raises as `person` and `DirectoryConnection.search`."""
        name = entry.text(self._settings.username_attribute) or username
        return self.person(entry, name, self._groups.find(connection, entry, name, deadline))

    # -- entries that may still log in

    def permitted(
        self, connection: DirectoryConnection, known: Sequence[tuple[str, str]], deadline: Deadline
    ) -> list[Entry]:
        """Return the entries among `(subject, dn)` that may still log in."""
        find = self._permitted_by_search if self._settings.search_base else self._permitted_by_dn
        return find(connection, known, deadline)

    def _permitted_by_search(
        self, connection: DirectoryConnection, known: Sequence[tuple[str, str]], deadline: Deadline
    ) -> list[Entry]:
        base, scope = self._settings.search_base, self._settings.search_scope
        ids = "".join(stable_id_filter(subject, self._settings.id_attribute) for subject, _ in known)
        where = f"(&(|{ids}){self._filter_for_any_name()})"
        entries = connection.search(base, where, deadline, scope=scope, attributes=self._attributes)
        if not self._settings.disabled_filter:
            return entries
        disabled = connection.search(base, f"(&(|{ids}){self._disabled_filter()})", deadline, scope=scope)
        excluded = {entry.dn for entry in disabled}
        return [entry for entry in entries if entry.dn not in excluded]

    def _permitted_by_dn(
        self, connection: DirectoryConnection, known: Sequence[tuple[str, str]], deadline: Deadline
    ) -> list[Entry]:
        """Read entries where they were last: without `search_base` an entry that was moved cannot log in."""
        permitted: list[Entry] = []
        for subject, dn in known:
            entry = self.by_dn(connection, dn, deadline)
            if entry is None or stable_id(entry, self._settings.id_attribute) != subject:
                continue
            if self._settings.disabled_filter and self.is_disabled(connection, dn, deadline):
                continue
            permitted.append(entry)
        return permitted

    # -- filters

    def _filter(self, username: str) -> str:
        return self._settings.search_filter.replace(USERNAME, escape_filter_value(username))

    def _filter_for_any_name(self) -> str:
        """Return the search filter with `*` as the name; empty where a name is compared in another way than `=`."""
        where = self._settings.search_filter
        simple = where.count(USERNAME) == len(_USERNAME_AS_WHOLE_VALUE.findall(where))
        return where.replace(USERNAME, "*") if simple else ""

    def _disabled_filter(self) -> str:
        filetime = (self._clock() + _FILETIME_EPOCH_MS) * _FILETIME_UNITS_PER_MS
        return self._settings.disabled_filter.replace(FILETIME, str(filetime))
