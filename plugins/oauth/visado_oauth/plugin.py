"""Putting the strategies together from the settings: one per provider, each in a quarantine of its own."""

from __future__ import annotations

from visado import ServerSection, Settings, read_secret
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


def strategies(settings: Settings, host: Host) -> list[OauthStrategy]:
    """Make the strategies; one whose provider cannot be used is there, refuses, and says why."""
    section, server = settings[OauthSection], settings[ServerSection]
    if not section.providers:
        return []
    given = section.secret.get_secret_value().encode() if section.secret is not None else None
    seals = Seals(given or read_secret(server.data / "oauth-secret").encode())
    reach, http = outgoing(section)
    attempts = Attempts(host.storage, seals)
    made: list[OauthStrategy] = []
    for name, each in section.providers.items():
        found = resolved(name, each, section, server.public_url, reach)
        made.append(OauthStrategy(name, found, Accounts(name, each, host, seals), attempts, http, reach))
    return made


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
