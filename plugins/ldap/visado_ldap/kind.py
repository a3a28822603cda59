"""Directories as a kind of strategy. What speaks LDAP is imported with the first of them: a host may have none."""

from __future__ import annotations

from typing_extensions import override

from visado import Host, Strategy, StrategyKind
from visado_ldap.settings import Directory


class LdapKind(StrategyKind):
    """Directories, of the settings or of an administrator."""

    name = "ldap"
    settings = Directory

    def __init__(self, host: Host, *, strict: bool) -> None:
        self._host, self._strict = host, strict

    @override
    def make(self, name: str, settings: Directory) -> Strategy:
        from visado_ldap.strategy import LdapStrategy

        return LdapStrategy(name, settings, self._host, strict=self._strict)
