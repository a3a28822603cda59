"""Providers as a kind of strategy. Authlib and httpx are imported with the first of them: a host may have none."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from typing_extensions import override

from visado import Host, SecuritySection, ServerSection, Settings, Strategy, StrategyKind
from visado_oauth.settings import OauthSection, ProviderSettings

if TYPE_CHECKING:
    from visado_oauth.seals import Seals


class OauthKind(StrategyKind):
    """Providers, of the settings or of an administrator."""

    name = "oauth"
    settings = ProviderSettings

    def __init__(self, settings: Settings, host: Host) -> None:
        self._section, self._server, self._host = settings[OauthSection], settings[ServerSection], host
        self._strict = settings[SecuritySection].preset == "strict"

    @cached_property
    def _seals(self) -> Seals:
        """The seals of all providers: a host without one needs no secret."""
        from visado_oauth import making

        return making.seals_of(self._section, self._server)

    @override
    def make(self, name: str, settings: ProviderSettings) -> Strategy:
        from visado_oauth import making

        return making.strategy(
            name, settings, self._section, self._server, self._host, self._seals, strict=self._strict
        )
