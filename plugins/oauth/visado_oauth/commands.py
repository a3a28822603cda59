"""The commands of visado-oauth: the list of the catalogue, the diagnosis of a provider, a login from a terminal."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from visado import Settings
from visado_oauth.settings import OauthSection

if TYPE_CHECKING:
    from visado import Commands


def register(commands: Commands) -> None:
    """Add the commands."""
    listing = commands.add_parser("oauth:providers", help="list the catalogue of providers")
    listing.set_defaults(run=list_providers)
    check = commands.add_parser("oauth:check", help="test a provider: discovery, keys, clock, secret, redirect URI")
    check.add_argument("name", help="the provider's name in the settings")
    check.set_defaults(run=check_provider)
    login = commands.add_parser("oauth:login", help="log in at a running host with a provider, and print the token")
    login.add_argument("name", help="the strategy")
    login.add_argument("--url", default="http://127.0.0.1:7512", help="URL of the host (http://127.0.0.1:7512)")
    login.add_argument("--device", action="store_true", help="print a code to enter on another device, and wait")
    login.set_defaults(run=log_in)


def list_providers(_: Namespace, settings: Settings) -> int:
    """Print each record of the catalogue, with the variables that settings must set, and the configured providers."""
    from visado_oauth.errors import ProviderMisconfigured
    from visado_oauth.providers.catalogue import find_record, record_names

    section = settings[OauthSection]
    for name in record_names(section.catalogue):
        try:
            record = find_record(name, section.catalogue)
        except ProviderMisconfigured as error:
            _print(f"{name:<14} {error}")
            continue
        required = [each for each, default in record.variables.items() if not default]
        _print(f"{name:<14} {record.title}" + (f" (variables: {', '.join(required)})" if required else ""))
    for name, provider in section.providers.items():
        _print(f"[oauth.providers.{name}] {provider.provider or provider.issuer or provider.authorize_url}")
    return 0


def check_provider(arguments: Namespace, settings: Settings) -> int:
    """Test a provider of the settings, and return the exit code."""
    from visado_oauth import diagnosis

    return diagnosis.run(arguments, settings)


def log_in(arguments: Namespace, settings: Settings) -> int:
    """Log in at a running host with a provider, and print the token."""
    from visado_oauth import terminal_login

    return terminal_login.run(arguments, settings)


def _print(text: str) -> None:
    print(text)  # noqa: T201 - a command line writes
