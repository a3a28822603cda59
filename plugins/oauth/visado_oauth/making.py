"""Putting strategies together: one per provider, of the settings or of an administrator."""

from __future__ import annotations

from visado import Host, ServerSection, Strategy, read_secret
from visado_oauth import providers
from visado_oauth.accounts import Accounts
from visado_oauth.attempts import Attempts
from visado_oauth.catalogue import Misconfigured
from visado_oauth.client import Http
from visado_oauth.guard import Reach
from visado_oauth.providers import Provider
from visado_oauth.seals import Seals
from visado_oauth.settings import OauthSection, ProviderSettings
from visado_oauth.strategy import OauthStrategy


def seals_of(section: OauthSection, server: ServerSection) -> Seals:
    """Make the seals of all providers: the secret of the settings, or else of the data folder."""
    given = section.secret
    text = given.get_secret_value() if given is not None else read_secret(server.data / "oauth-secret")
    return Seals(text.encode())


def strategy(
    name: str,
    settings: ProviderSettings,
    section: OauthSection,
    server: ServerSection,
    host: Host,
    seals: Seals,
    *,
    strict: bool,
) -> Strategy:
    """Make the strategy of a provider; one that cannot be used refuses, and says why."""
    reach, http = outgoing(section)
    found = resolved(name, settings, section, server.public_url, reach)
    return OauthStrategy(
        name, found, Accounts(name, settings, host, seals, strict=strict), Attempts(host.storage, seals), http, reach
    )


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
