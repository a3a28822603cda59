"""visado-ldap: log in against LDAP directories.

Owns a strategy per directory of `[ldap.directories]`, its settings and the command `ldap:check`. Does not own
where is kept which user owns which entry: the host's `Credentials` are that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from visado import Credentials, Section, SecuritySection, Settings, Storage, Strategy, Tokens, Users, hookimpl
from visado_ldap import check
from visado_ldap.accounts import Host
from visado_ldap.settings import LdapSection
from visado_ldap.strategy import LdapStrategy


@hookimpl
def register_settings() -> type[Section]:
    """Declare `[ldap]`."""
    return LdapSection


@hookimpl
def register_strategies(
    settings: Settings, storage: Storage, users: Users, credentials: Credentials, tokens: Tokens
) -> Iterable[Strategy]:
    """Offer each directory."""
    strict = settings[SecuritySection].preset == "strict"
    host = Host(storage, users, credentials, tokens)
    sections = settings[LdapSection].directories
    return [LdapStrategy(name, section, host, strict=strict) for name, section in sections.items()]


@hookimpl
def register_commands(commands: Any) -> None:
    """Offer `visado ldap:check`."""
    check.add(commands)
