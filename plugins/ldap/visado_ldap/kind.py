"""Directories as a kind of strategy. What speaks LDAP is imported with the first of them: a host may have none."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from visado import Credentials, Storage, Strategy, StrategyKind, Tokens, Users
from visado_ldap.settings import Directory


@dataclass(frozen=True, slots=True)
class Host:
    """What the host lends to the strategies; `strict` is its preset."""

    storage: Storage
    users: Users
    credentials: Credentials
    tokens: Tokens
    strict: bool = False


class LdapKind(StrategyKind):
    """Directories, of the settings or of an administrator."""

    name = "ldap"
    settings = Directory

    def __init__(self, host: Host) -> None:
        self._host = host

    @override
    def make(self, name: str, settings: Directory) -> Strategy:
        from visado_ldap.strategy import LdapStrategy

        return LdapStrategy(name, settings, self._host)
