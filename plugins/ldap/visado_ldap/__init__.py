"""visado-ldap: log in to visado against LDAP directories.

Owns a strategy for each directory, from `[ldap.directories]` or added while the host runs, and the command
`ldap:check`. Does not own the storage of credentials: `visado.Credentials` does.
"""

from __future__ import annotations

from collections.abc import Iterable

from visado import Commands, Host, Section, Settings, Strategy, StrategyKind, hookimpl
from visado_ldap import commands as ldap_commands
from visado_ldap.settings import LdapSection
from visado_ldap.strategy_kind import LdapStrategyKind


@hookimpl
def register_settings() -> type[Section]:
    """Declare `[ldap]`."""
    return LdapSection


@hookimpl
def register_strategies(settings: Settings, host: Host) -> Iterable[Strategy]:
    """Return a strategy for each directory of the settings."""
    kind = LdapStrategyKind(settings, host)
    return [kind.make(name, each) for name, each in settings[LdapSection].directories.items()]


@hookimpl
def register_strategy_kinds(settings: Settings, host: Host) -> Iterable[StrategyKind]:
    """Return the kind with which administrators add directories while the host runs."""
    return [LdapStrategyKind(settings, host)]


@hookimpl
def register_commands(commands: Commands) -> None:
    """Add `visado ldap:check`."""
    ldap_commands.register(commands)
