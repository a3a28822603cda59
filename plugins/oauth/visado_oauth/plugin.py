"""Putting strategies together: one per provider, of the settings or of an administrator."""

from __future__ import annotations

from functools import cached_property

from typing_extensions import override

from visado import ServerSection, Settings, Strategy, StrategyKind, read_secret
from visado_oauth import providers
from visado_oauth.accounts import Accounts, Host
from visado_oauth.attempts import Attempts
from visado_oauth.catalogue import Misconfigured
from visado_oauth.client import Http
from visado_oauth.guard import Reach
from visado_oauth.providers import Provider
from visado_oauth.seals import Seals
from visado_oauth.settings import OauthSection, ProviderSettings
from visado_oauth.strategy import OauthStrategy


class OauthKind(StrategyKind):
    """Providers. One that cannot be used makes a strategy that refuses, and says why: the others go on."""

    name = "oauth"
    settings = ProviderSettings

    def __init__(self, settings: Settings, host: Host) -> None:
        self._section, self._server, self._host = settings[OauthSection], settings[ServerSection], host

    @cached_property
    def _seals(self) -> Seals:
        """The seals of all providers: a host without one needs no secret."""
        given = self._section.secret
        text = given.get_secret_value() if given is not None else read_secret(self._server.data / "oauth-secret")
        return Seals(text.encode())

    @override
    def make(self, name: str, settings: ProviderSettings) -> Strategy:
        reach, http = outgoing(self._section)
        found = resolved(name, settings, self._section, self._server.public_url, reach)
        accounts = Accounts(name, settings, self._host, self._seals)
        return OauthStrategy(name, found, accounts, Attempts(self._host.storage, self._seals), http, reach)


def outgoing(section: OauthSection) -> tuple[Reach, Http]:
    """Make the bounds of outgoing requests, and what sends them."""
    reach = Reach(section.http_on_loopback, tuple(section.private_networks))
    return reach, Http(reach, section.timeout, section.ca_file)


def resolved(
    name: str, settings: ProviderSettings, section: OauthSection, public_url: str, reach: Reach
) -> Provider | str:
    """Put a provider together, or say why that cannot be."""
    try:
        return providers.resolve(name, settings, section.catalogue, public_url, reach)
    except Misconfigured as error:
        return str(error)
