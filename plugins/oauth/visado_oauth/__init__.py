"""visado-oauth: log in with any OAuth 2 or OpenID Connect provider.

Owns a strategy for each provider, from the settings or added while the host runs, and the catalogue of
providers. Does not own which user an identity belongs to, the state of a login, nor tokens: the host does.
"""

from __future__ import annotations

from collections.abc import Iterable

from visado import Commands, Host, Section, Settings, Strategy, StrategyKind, hookimpl
from visado_oauth import commands as oauth_commands
from visado_oauth.settings import OauthSection
from visado_oauth.strategy_kind import OauthStrategyKind


@hookimpl
def register_settings() -> type[Section]:
    """Declare `[oauth]`."""
    return OauthSection


@hookimpl
def register_strategies(settings: Settings, host: Host) -> Iterable[Strategy]:
    """Return a strategy for each provider of the settings."""
    kind = host.single(OauthStrategyKind, settings, host)
    return [kind.make(name, each) for name, each in settings[OauthSection].providers.items()]


@hookimpl
def register_strategy_kinds(settings: Settings, host: Host) -> Iterable[StrategyKind]:
    """Return the kind with which administrators add providers while the host runs."""
    return [host.single(OauthStrategyKind, settings, host)]


@hookimpl
def register_commands(commands: Commands) -> None:
    """Add `oauth:providers`, `oauth:check` and `oauth:login`."""
    oauth_commands.register(commands)
