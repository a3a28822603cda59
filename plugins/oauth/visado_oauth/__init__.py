"""visado-oauth: log in with any OAuth 2 or OpenID Connect provider.

Owns a strategy per provider of the settings, the catalogue of providers, and the link of an identity to a user. Does
not own where credentials are kept, nor tokens: the host's `Credentials` and `Tokens` are that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from visado import Controller, Credentials, Section, Settings, Storage, Strategy, Tokens, Users, hookimpl
from visado_oauth import commands as oauth_commands
from visado_oauth.accounts import Host
from visado_oauth.commands import Commands
from visado_oauth.controller import OauthController
from visado_oauth.plugin import strategies as build_strategies
from visado_oauth.settings import OauthSection


@hookimpl
def register_settings() -> type[Section]:
    """Declare `[oauth]`."""
    return OauthSection


@hookimpl
def register_strategies(
    settings: Settings, storage: Storage, users: Users, credentials: Credentials, tokens: Tokens
) -> Iterable[Strategy]:
    """Offer a strategy per provider."""
    return build_strategies(settings, Host(storage, users, credentials, tokens))


@hookimpl
def register_controllers(strategies: Mapping[str, Strategy]) -> Iterable[Controller]:
    """Offer the linking of identities, where there is a provider."""
    controller = OauthController(strategies)
    return [controller] if controller.providers else []


@hookimpl
def register_commands(commands: Commands) -> None:
    """Add `oauth:providers`, `oauth:check` and `oauth:login`."""
    oauth_commands.register(commands)
