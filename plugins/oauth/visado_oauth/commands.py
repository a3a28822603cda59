"""The commands of visado-oauth: what the catalogue has, whether a provider can be used, and a login from a terminal."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Protocol

from visado import Settings


class Commands(Protocol):
    """The commands of the command line, as the host lends them."""

    def add_parser(self, name: str, *, help: str = "") -> ArgumentParser:
        """Add a command."""
        ...


def register(commands: Commands) -> None:
    """Add the commands."""
    listing = commands.add_parser("oauth:providers", help="list the catalogue of providers")
    listing.set_defaults(run=list_providers)
    check = commands.add_parser("oauth:check", help="check a provider: discovery, keys, clock, redirect address")
    check.add_argument("name", help="the provider's name in the settings")
    check.set_defaults(run=check_provider)
    login = commands.add_parser("oauth:login", help="log in at a running host with a provider, and print the token")
    login.add_argument("name", help="the strategy")
    login.add_argument("--url", default="http://127.0.0.1:7512", help="the host (http://127.0.0.1:7512)")
    login.add_argument("--device", action="store_true", help="print a code to enter elsewhere, and wait")
    login.set_defaults(run=log_in)


def list_providers(arguments: Namespace, settings: Settings) -> int:
    """Print every record: its name, its title, and the variables that the settings must give."""
    from visado_oauth import provider_commands

    return provider_commands.list_providers(arguments, settings)


def check_provider(arguments: Namespace, settings: Settings) -> int:
    """Ask a provider what a login would, and print what is right and what is not."""
    from visado_oauth import provider_commands

    return provider_commands.check_provider(arguments, settings)


def log_in(arguments: Namespace, settings: Settings) -> int:
    """Log in at a running host with a provider, and print the token."""
    from visado_oauth import terminal

    return terminal.log_in(arguments, settings)
