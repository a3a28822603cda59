"""visado-oauth: log in with any OAuth 2 or OpenID Connect provider.

Owns a strategy per provider, of the settings or added while the host runs, the catalogue of providers, and the link of
an identity to a user. Does not own where credentials are kept, nor tokens: the host's `Credentials` and `Tokens` are
that.
"""

from __future__ import annotations

from collections.abc import Iterable

from visado import Controller, Host, Section, Settings, Strategy, StrategyKind, hookimpl
from visado_oauth import commands as oauth_commands
from visado_oauth.commands import Commands
from visado_oauth.controller import OauthController
from visado_oauth.kind import OauthKind
from visado_oauth.settings import OauthSection


@hookimpl
def register_settings() -> type[Section]:
    """Declare `[oauth]`."""
    return OauthSection


@hookimpl
def register_strategies(settings: Settings, host: Host) -> Iterable[Strategy]:
    """Offer a strategy per provider of the settings."""
    kind = OauthKind(settings, host)
    return [kind.make(name, each) for name, each in settings[OauthSection].providers.items()]


@hookimpl
def register_strategy_kinds(settings: Settings, host: Host) -> Iterable[StrategyKind]:
    """Let providers be added while the host runs."""
    return [OauthKind(settings, host)]


@hookimpl
def register_controllers(host: Host) -> Iterable[Controller]:
    """Offer the linking of identities."""
    return [OauthController(host.strategies)]


@hookimpl
def register_commands(commands: Commands) -> None:
    """Add `oauth:providers`, `oauth:check` and `oauth:login`."""
    oauth_commands.register(commands)
