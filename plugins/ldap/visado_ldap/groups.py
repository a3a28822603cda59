"""The groups of an entry: direct and nested, by attribute or by search; and the profiles that they grant."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Final

from visado_ldap.directory import Connection, filter_value
from visado_ldap.dn import canonical
from visado_ldap.entry import Entry
from visado_ldap.errors import Invalid
from visado_ldap.settings import PLACE, Directory
from visado_ldap.wire import Deadline

_MOST_GROUPS: Final = 5_000
_AT_ONCE: Final = 50
_DN: Final = "{dn}"
_log = logging.getLogger("visado.ldap")


class Groups:
    """The groups of a directory, as its settings have them."""

    def __init__(self, section: Directory) -> None:
        self._section = section
        self._pattern = re.compile(section.group_pattern) if section.group_pattern else None
        self._granting = {_spelled(dn): profiles for dn, profiles in section.group_profiles.items()}
        self._primary = section.preset == "active-directory"
        self._by_attribute = not section.group_search_base

    @property
    def attributes(self) -> list[str]:
        """The attributes of an entry that say something of its groups."""
        if not self._section.wants_groups:
            return []
        primary = ["primaryGroupID", "objectSid"] if self._primary else []
        return [*([self._section.group_attribute] if self._by_attribute else []), *primary]

    def of(self, connection: Connection, entry: Entry, username: str, deadline: Deadline) -> frozenset[str]:
        """The DNs of the groups that an entry is in. Raises as `Connection.search`."""
        section = self._section
        if not section.wants_groups:
            return frozenset()
        primary = self._primary_group(connection, entry, deadline) if self._primary else []
        if section.group_in_chain:
            found = [self._search(connection, [dn], section.chain_filter, deadline) for dn in (entry.dn, *primary)]
            return frozenset(primary).union(*found)
        direct = self._direct(connection, entry, username, deadline) | set(primary)
        return frozenset(self._walk(connection, direct, deadline) if section.nested_groups else direct)

    def profiles(self, groups: Iterable[str]) -> list[str]:
        """The profiles that these groups grant, in a fixed order."""
        found: list[str] = []
        for dn in sorted(groups):
            found += self._granting.get(_spelled(dn), ())
            named = self._pattern.fullmatch(dn) if self._pattern is not None else None
            if named is not None and named["profile"]:
                found.append(named["profile"])
        return list(dict.fromkeys(found))

    def _direct(self, connection: Connection, entry: Entry, username: str, deadline: Deadline) -> set[str]:
        if self._by_attribute:
            return set(entry.texts(self._section.group_attribute))
        where = self._section.group_search_filter.replace(PLACE, filter_value(username))
        return self._search(connection, [entry.dn], where, deadline)

    def _walk(self, connection: Connection, direct: set[str], deadline: Deadline) -> set[str]:
        """Follow groups of groups, each once, so that a circle comes to its end."""
        seen = {_spelled(dn): dn for dn in direct}
        level = list(direct)
        for _ in range(self._section.group_depth):
            if not level:
                break
            parents = self._parents(connection, level, deadline)
            level = [dn for dn in parents if _spelled(dn) not in seen]
            seen.update((_spelled(dn), dn) for dn in level)
            if len(seen) > _MOST_GROUPS:
                _log.warning("an entry is in more than %s groups: the rest is left out", _MOST_GROUPS)
                break
        return set(seen.values())

    def _parents(self, connection: Connection, groups: list[str], deadline: Deadline) -> set[str]:
        if self._by_attribute:
            attribute = self._section.group_attribute
            read = (connection.read(dn, deadline, [attribute]) for dn in groups)
            return {dn for entry in read if entry is not None for dn in entry.texts(attribute)}
        where = self._section.group_search_filter
        if PLACE in where or _DN not in where:  # groups do not have user names
            return set()
        return self._search(connection, groups, where, deadline)

    def _search(self, connection: Connection, members: list[str], where: str, deadline: Deadline) -> set[str]:
        found: set[str] = set()
        for start in range(0, len(members), _AT_ONCE):
            parts = [where.replace(_DN, filter_value(dn)) for dn in members[start : start + _AT_ONCE]]
            joined = parts[0] if len(parts) == 1 else f"(|{''.join(parts)})"
            found.update(entry.dn for entry in connection.search(self._section.group_search_base, joined, deadline))
        return found

    def _primary_group(self, connection: Connection, entry: Entry, deadline: Deadline) -> list[str]:
        """Active Directory's primary group, which `memberOf` does not list: the domain's SID with another last part."""
        number, sid = entry.text("primaryGroupID"), entry.raw("objectSid")
        if number is None or sid is None or not number.isdigit():
            return []
        group = connection.read(f"<SID={_sid(sid, int(number))}>", deadline, [])
        return [group.dn] if group is not None else []


def _sid(sid: bytes, last: int) -> str:
    """Spell a SID, with another last part."""
    parts = [int.from_bytes(sid[place : place + 4], "little") for place in range(8, len(sid), 4)]
    return "-".join(["S", str(sid[0]), str(int.from_bytes(sid[2:8], "big")), *map(str, parts[:-1]), str(last)])


def _spelled(dn: str) -> str:
    try:
        return canonical(dn)
    except Invalid:  # a server's own extension of DNs
        return dn.casefold()
