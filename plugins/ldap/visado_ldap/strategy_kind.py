"""Directories as a kind of strategy, from the settings or added by administrators.

ldap3 is imported with the first directory: a host may have none.
"""

from __future__ import annotations

from typing_extensions import override

from visado import Host, SecuritySection, Settings, Strategy, StrategyKind
from visado_ldap.settings import DirectorySettings


class LdapStrategyKind(StrategyKind):
    """Makes a strategy for each directory."""

    name = "ldap"
    settings = DirectorySettings

    def __init__(self, settings: Settings, host: Host) -> None:
        self._host, self._strict = host, settings[SecuritySection].preset == "strict"

    @override
    def make(self, name: str, settings: DirectorySettings) -> Strategy:
        from visado_ldap.strategy import LdapStrategy

        return LdapStrategy(name, settings, self._host, strict=self._strict)
