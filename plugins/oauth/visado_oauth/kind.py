"""Providers as a kind of strategy. Authlib and httpx are imported with the first of them: a host may have none."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from typing_extensions import override

from visado import Host, SecuritySection, ServerSection, Settings, Strategy, StrategyKind
from visado_oauth.settings import OauthSection, ProviderSettings


class OauthKind(StrategyKind):
    """Providers, of the settings or of an administrator."""

    name = "oauth"
    settings = ProviderSettings

    def __init__(self, settings: Settings, host: Host) -> None:
        self._section, self._server, self._host = settings[OauthSection], settings[ServerSection], host
        self._strict = settings[SecuritySection].preset == "strict"

    @cached_property
    def _read_sealing_secret(self) -> Callable[[], str]:
        """What reads the secret that all providers seal with: a host without a provider needs none."""
        from visado_oauth import making

        return making.secret_reader(self._section, self._server)

    @override
    def make(self, name: str, settings: ProviderSettings) -> Strategy:
        from visado_oauth import making

        return making.strategy(
            name, settings, self._section, self._server, self._host, self._read_sealing_secret, strict=self._strict
        )
