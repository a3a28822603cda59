"""Providers as a kind of strategy. Authlib and httpx are imported with the first of them: a host may have none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from typing_extensions import override

from visado import Credentials, ServerSection, Settings, Storage, Strategy, StrategyKind, Tokens, Users
from visado_oauth.settings import OauthSection, ProviderSettings

if TYPE_CHECKING:
    from visado_oauth.seals import Seals


@dataclass(frozen=True, slots=True)
class Host:
    """What the host lends to the strategies; `strict` is its preset."""

    storage: Storage
    users: Users
    credentials: Credentials
    tokens: Tokens
    strategies: Mapping[str, Strategy]
    strict: bool = False


class OauthKind(StrategyKind):
    """Providers, of the settings or of an administrator."""

    name = "oauth"
    settings = ProviderSettings

    def __init__(self, settings: Settings, host: Host) -> None:
        self._section, self._server, self._host = settings[OauthSection], settings[ServerSection], host

    @cached_property
    def _seals(self) -> Seals:
        """The seals of all providers: a host without one needs no secret."""
        from visado_oauth import making

        return making.seals_of(self._section, self._server)

    @override
    def make(self, name: str, settings: ProviderSettings) -> Strategy:
        from visado_oauth import making

        return making.strategy(name, settings, self._section, self._server, self._host, self._seals)
