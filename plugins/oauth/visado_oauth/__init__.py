"""visado-oauth: log in with any OAuth 2 or OpenID Connect provider.

Owns a strategy per provider, of the settings or added while the host runs, the catalogue of providers, and the link of
an identity to a user. Does not own where credentials are kept, nor tokens: the host's `Credentials` and `Tokens` are
that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from visado import (
    Controller,
    Credentials,
    Section,
    SecuritySection,
    Settings,
    Storage,
    Strategy,
    StrategyKind,
    Tokens,
    Users,
    hookimpl,
)
from visado_oauth import commands as oauth_commands
from visado_oauth.commands import Commands
from visado_oauth.controller import OauthController
from visado_oauth.kind import Host, OauthKind
from visado_oauth.settings import OauthSection


@hookimpl
def register_settings() -> type[Section]:
    """Declare `[oauth]`."""
    return OauthSection


@hookimpl
def register_strategies(
    settings: Settings,
    storage: Storage,
    users: Users,
    credentials: Credentials,
    tokens: Tokens,
    strategies: Mapping[str, Strategy],
) -> Iterable[Strategy]:
    """Offer a strategy per provider of the settings."""
    kind = _kind(settings, storage, users, credentials, tokens, strategies)
    return [kind.make(name, each) for name, each in settings[OauthSection].providers.items()]


@hookimpl
def register_strategy_kinds(
    settings: Settings,
    storage: Storage,
    users: Users,
    credentials: Credentials,
    tokens: Tokens,
    strategies: Mapping[str, Strategy],
) -> Iterable[StrategyKind]:
    """Let providers be added while the host runs."""
    return [_kind(settings, storage, users, credentials, tokens, strategies)]


def _kind(
    settings: Settings,
    storage: Storage,
    users: Users,
    credentials: Credentials,
    tokens: Tokens,
    strategies: Mapping[str, Strategy],
) -> OauthKind:
    strict = settings[SecuritySection].preset == "strict"
    return OauthKind(settings, Host(storage, users, credentials, tokens, strategies, strict=strict))


@hookimpl
def register_controllers(strategies: Mapping[str, Strategy]) -> Iterable[Controller]:
    """Offer the linking of identities."""
    return [OauthController(strategies)]


@hookimpl
def register_commands(commands: Commands) -> None:
    """Add `oauth:providers`, `oauth:check` and `oauth:login`."""
    oauth_commands.register(commands)
