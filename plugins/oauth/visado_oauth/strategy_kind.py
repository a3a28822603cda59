"""Providers as a kind of strategy, from the settings or added by administrators.

Authlib and httpx are imported with the first provider: a host may have none.
"""

from __future__ import annotations

from functools import cached_property

from typing_extensions import override

from visado import Host, SecuritySection, ServerSection, Settings, Strategy, StrategyKind, read_secret
from visado_oauth.errors import ProviderMisconfigured
from visado_oauth.settings import OauthSection, ProviderSettings


class OauthStrategyKind(StrategyKind):
    """Makes a strategy for each provider."""

    name = "oauth"
    settings = ProviderSettings

    def __init__(self, settings: Settings, host: Host) -> None:
        self._settings, self._host = settings, host

    @cached_property
    def _sealing_secret(self) -> str:
        """The secret that all providers seal with: a host without providers needs none."""
        given = self._settings[OauthSection].secret
        if given is not None:
            return given.get_secret_value()
        return read_secret(self._settings[ServerSection].data / "oauth-secret")

    @override
    def make(self, name: str, settings: ProviderSettings) -> Strategy:
        """Make the strategy of a provider; one that cannot be used responds with the reason."""
        from visado_oauth.client import ProviderClient
        from visado_oauth.credentials import ProviderCredentials
        from visado_oauth.providers.address_guard import AddressGuard
        from visado_oauth.providers.provider import Provider, resolve_provider
        from visado_oauth.sessions import ProviderSessions
        from visado_oauth.strategy import OauthStrategy

        host, secret, section = self._host, self._sealing_secret, self._settings[OauthSection]
        public_url = self._settings[ServerSection].public_url
        guard = AddressGuard(section.http_on_loopback, tuple(section.private_networks))
        configured: Provider | str
        try:
            configured = resolve_provider(name, settings, section.catalogue, public_url, guard)
        except ProviderMisconfigured as error:
            configured = str(error)
        strict = self._settings[SecuritySection].preset == "strict"
        credentials = ProviderCredentials(name, settings, host, strict=strict)
        sessions = ProviderSessions(name, settings, host, lambda: secret)
        client = ProviderClient(guard, section.timeout, section.ca_file)
        return OauthStrategy(name, settings, configured, host, credentials, sessions, client)
