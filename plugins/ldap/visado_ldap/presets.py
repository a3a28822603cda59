"""What directories of a kind have in common, so that nobody has to look it up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "openldap": {
        "search_filter": "(uid={username})",
        "username_attribute": "uid",
        "id_attribute": "entryUUID",
        "disabled_filter": "(pwdAccountLockedTime=000001010000Z)",
        "group_search_filter": "(|(member={dn})(uniqueMember={dn}))",
    },
    "active-directory": {
        "search_filter": (
            "(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={username})(userPrincipalName={username})))"
        ),
        "username_attribute": "sAMAccountName",
        "id_attribute": "objectGUID",
        "disabled_filter": (
            "(|(userAccountControl:1.2.840.113556.1.4.803:=2)(&(accountExpires>=1)(accountExpires<={filetime})))"
        ),
        "group_search_filter": "(&(objectClass=group)(member={dn}))",
    },
    "freeipa": {
        "search_filter": "(&(objectClass=posixAccount)(uid={username}))",
        "username_attribute": "uid",
        "id_attribute": "ipaUniqueID",
        "disabled_filter": "(nsAccountLock=TRUE)",
        "group_search_filter": "(&(objectClass=ipaUserGroup)(member={dn}))",
    },
    "389": {
        "search_filter": "(uid={username})",
        "username_attribute": "uid",
        "id_attribute": "nsUniqueId",
        "disabled_filter": "(nsAccountLock=TRUE)",
        "group_search_filter": "(|(member={dn})(uniqueMember={dn}))",
    },
}
"""The settings that a preset fills in where the operator says nothing."""

IN_CHAIN: Final = "(member:1.2.840.113556.1.4.1941:={dn})"
"""Active Directory's own walk through nested groups: right, and slow."""
