"""Putting strategies together: one per provider, of the settings or of an administrator."""

from __future__ import annotations

from collections.abc import Callable

from visado import Host, ServerSection, Strategy, read_secret
from visado_oauth import providers
from visado_oauth.accounts import Accounts
from visado_oauth.attempts import Attempts
from visado_oauth.catalogue import Misconfigured
from visado_oauth.client import Http
from visado_oauth.guard import Reach
from visado_oauth.providers import Provider
from visado_oauth.settings import OauthSection, ProviderSettings
from visado_oauth.strategy import OauthStrategy


def secret_reader(section: OauthSection, server: ServerSection) -> Callable[[], str]:
    """Read the secret that all providers seal with: of the settings, or else of the data folder. Return its reader."""
    given = section.secret
    secret = given.get_secret_value() if given is not None else read_secret(server.data / "oauth-secret")
    return lambda: secret


def strategy(
    name: str,
    settings: ProviderSettings,
    section: OauthSection,
    server: ServerSection,
    host: Host,
    read_sealing_secret: Callable[[], str],
    *,
    strict: bool,
) -> Strategy:
    """Make the strategy of a provider; one that cannot be used refuses, and says why."""
    reach, http = outgoing(section)
    found = resolved(name, settings, section, server.public_url, reach)
    accounts = Accounts(name, settings, host, read_sealing_secret, strict=strict)
    return OauthStrategy(name, found, accounts, Attempts(host.storage, read_sealing_secret), http, reach)


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
