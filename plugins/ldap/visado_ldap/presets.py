"""The settings that directories of one product share."""

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
"""The values of a preset, which the operator's settings override."""

IN_CHAIN_FILTER: Final = "(member:1.2.840.113556.1.4.1941:={dn})"
"""The filter with which Active Directory follows nested groups itself, which is slow in large domains."""
