"""visado-ldap: log in against LDAP directories.

Owns a strategy per directory, of `[ldap.directories]` or added while the host runs, and the command `ldap:check`.
Does not own where is kept which user owns which entry: the host's `Credentials` are that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from visado import Host, Section, SecuritySection, Settings, Strategy, StrategyKind, hookimpl
from visado_ldap import commands as ldap_commands
from visado_ldap.kind import LdapKind
from visado_ldap.settings import LdapSection


@hookimpl
def register_settings() -> type[Section]:
    """Declare `[ldap]`."""
    return LdapSection


@hookimpl
def register_strategies(settings: Settings, host: Host) -> Iterable[Strategy]:
    """Offer each directory of the settings."""
    kind = _kind(settings, host)
    return [kind.make(name, section) for name, section in settings[LdapSection].directories.items()]


@hookimpl
def register_strategy_kinds(settings: Settings, host: Host) -> Iterable[StrategyKind]:
    """Let directories be added while the host runs."""
    return [_kind(settings, host)]


def _kind(settings: Settings, host: Host) -> LdapKind:
    return LdapKind(host, strict=settings[SecuritySection].preset == "strict")


@hookimpl
def register_commands(commands: Any) -> None:
    """Offer `visado ldap:check`."""
    ldap_commands.add(commands)
