"""visado-local: log in with a user name and a password.

Owns the strategy `local`, its settings and its reset flow. Does not own where credentials are kept: the
host's `Credentials` are that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from visado import (
    Controller,
    Credentials,
    Events,
    Logins,
    Section,
    SecuritySection,
    Settings,
    Storage,
    Strategy,
    Tokens,
    Users,
    hookimpl,
)
from visado_local.reset import PasswordController
from visado_local.settings import LocalSection
from visado_local.strategy import Host, LocalStrategy


@hookimpl
def register_settings() -> type[Section]:
    """Declare `[local]`."""
    return LocalSection


@hookimpl
def register_strategies(
    settings: Settings, storage: Storage, users: Users, credentials: Credentials, tokens: Tokens, events: Events
) -> Iterable[Strategy]:
    """Offer `local`."""
    strict = settings[SecuritySection].preset == "strict"
    host = Host(storage, users, credentials, tokens, events)
    return [LocalStrategy(settings[LocalSection], host, strict=strict)]


@hookimpl
def register_controllers(users: Users, logins: Logins, strategies: Mapping[str, Strategy]) -> Iterable[Controller]:
    """Offer the reset flow of `local`."""
    local = strategies.get(LocalStrategy.name)
    return [PasswordController(local, users, logins)] if isinstance(local, LocalStrategy) else []
