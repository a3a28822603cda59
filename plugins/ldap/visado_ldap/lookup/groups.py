"""The groups of an entry, direct and nested, by attribute or by search; and the profiles that they grant."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Final

from visado_ldap.directory import DirectoryConnection, escape_filter_value
from visado_ldap.errors import InvalidValue
from visado_ldap.protocol.distinguished_names import canonical_dn
from visado_ldap.protocol.entries import Entry
from visado_ldap.protocol.sockets import Deadline
from visado_ldap.settings import MEMBER_DN, USERNAME, DirectorySettings

_MAX_GROUPS: Final = 5_000
_MEMBERS_PER_SEARCH: Final = 50
_SID_HEADER_BYTES: Final = 8
_SID_PART_BYTES: Final = 4
_log = logging.getLogger("visado.ldap")


class GroupLookup:
    """Finds the groups of entries, as the settings of the directory describe."""

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings
        self._pattern = re.compile(settings.group_pattern) if settings.group_pattern else None
        self._profiles_of = {_canonical(dn): profiles for dn, profiles in settings.group_profiles.items()}
        self._has_primary_group = settings.preset == "active-directory"
        self._by_attribute = not settings.group_search_base

    @property
    def attributes(self) -> list[str]:
        """The attributes of an entry that `find` needs."""
        if not self._settings.uses_groups:
            return []
        primary = ["primaryGroupID", "objectSid"] if self._has_primary_group else []
        return [*([self._settings.group_attribute] if self._by_attribute else []), *primary]

    def find(self, connection: DirectoryConnection, entry: Entry, username: str, deadline: Deadline) -> frozenset[str]:
        """Return the DNs of the groups that an entry is in. Raises as `DirectoryConnection.search`."""
        settings = self._settings
        if not settings.uses_groups:
            return frozenset()
        primary = self._primary_group(connection, entry, deadline) if self._has_primary_group else []
        if settings.group_in_chain:
            members = (entry.dn, *primary)
            found = [self._search(connection, [dn], settings.chain_filter, deadline) for dn in members]
            return frozenset(primary).union(*found)
        direct = self._direct(connection, entry, username, deadline) | set(primary)
        return frozenset(self._with_parents(connection, direct, deadline) if settings.nested_groups else direct)

    def profiles(self, groups: Iterable[str]) -> list[str]:
        """Return the profiles that these groups grant, in a fixed order."""
        profiles: list[str] = []
        for dn in sorted(groups):
            profiles += self._profiles_of.get(_canonical(dn), ())
            match = self._pattern.fullmatch(dn) if self._pattern is not None else None
            if match is not None and match["profile"]:
                profiles.append(match["profile"])
        return list(dict.fromkeys(profiles))

    def _direct(self, connection: DirectoryConnection, entry: Entry, username: str, deadline: Deadline) -> set[str]:
        if self._by_attribute:
            return set(entry.texts(self._settings.group_attribute))
        where = self._settings.group_search_filter.replace(USERNAME, escape_filter_value(username))
        return self._search(connection, [entry.dn], where, deadline)

    def _with_parents(self, connection: DirectoryConnection, direct: set[str], deadline: Deadline) -> set[str]:
        """Add the groups of groups. Each group is followed once, so that circles end."""
        seen = {_canonical(dn): dn for dn in direct}
        level = list(direct)
        for _ in range(self._settings.group_depth):
            if not level:
                break
            parents = self._parents(connection, level, deadline)
            level = [dn for dn in parents if _canonical(dn) not in seen]
            seen.update((_canonical(dn), dn) for dn in level)
            if len(seen) > _MAX_GROUPS:
                _log.warning("an entry is in more than %s groups: the other groups are ignored", _MAX_GROUPS)
                break
        return set(seen.values())

    def _parents(self, connection: DirectoryConnection, groups: list[str], deadline: Deadline) -> set[str]:
        if self._by_attribute:
            attribute = self._settings.group_attribute
            entries = (connection.read(dn, deadline, [attribute]) for dn in groups)
            return {dn for entry in entries if entry is not None for dn in entry.texts(attribute)}
        where = self._settings.group_search_filter
        if USERNAME in where or MEMBER_DN not in where:  # groups have no user names
            return set()
        return self._search(connection, groups, where, deadline)

    def _search(self, connection: DirectoryConnection, members: list[str], where: str, deadline: Deadline) -> set[str]:
        """Return the groups that one of the members is in."""
        base, groups = self._settings.group_search_base, set[str]()
        for start in range(0, len(members), _MEMBERS_PER_SEARCH):
            some = members[start : start + _MEMBERS_PER_SEARCH]
            parts = [where.replace(MEMBER_DN, escape_filter_value(dn)) for dn in some]
            joined = parts[0] if len(parts) == 1 else f"(|{''.join(parts)})"
            groups.update(entry.dn for entry in connection.search(base, joined, deadline))
        return groups

    def _primary_group(self, connection: DirectoryConnection, entry: Entry, deadline: Deadline) -> list[str]:
        """Return Active Directory's primary group, which `memberOf` does not list.

        Its SID is that of the entry with the primary group's number as last part.
        """
        number, sid = entry.text("primaryGroupID"), entry.raw("objectSid")
        if number is None or sid is None or not number.isdigit():
            return []
        group = connection.read(f"<SID={_sid_with_last_part(sid, int(number))}>", deadline, [])
        return [group.dn] if group is not None else []


def _sid_with_last_part(sid: bytes, last: int) -> str:
    """Return a binary SID as text, with another last part."""
    starts = range(_SID_HEADER_BYTES, len(sid), _SID_PART_BYTES)
    parts = [int.from_bytes(sid[start : start + _SID_PART_BYTES], "little") for start in starts]
    authority = int.from_bytes(sid[2:_SID_HEADER_BYTES], "big")
    return "-".join(["S", str(sid[0]), str(authority), *map(str, parts[:-1]), str(last)])


def _canonical(dn: str) -> str:
    try:
        return canonical_dn(dn)
    except InvalidValue:  # a server's own extension of DNs
        return dn.casefold()
