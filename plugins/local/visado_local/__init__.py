"""visado-local: log in with a user name and a password.

Owns the strategy `local`, its settings and its reset flow. Does not own where credentials are kept: the
host's `Credentials` are that.
"""

from __future__ import annotations

from collections.abc import Iterable

from visado import Controller, Host, Section, SecuritySection, Settings, Strategy, hookimpl
from visado_local.reset import PasswordController
from visado_local.settings import LocalSection
from visado_local.strategy import LocalStrategy


@hookimpl
def register_settings() -> type[Section]:
    """Declare `[local]`."""
    return LocalSection


@hookimpl
def register_strategies(settings: Settings, host: Host) -> Iterable[Strategy]:
    """Offer `local`."""
    strict = settings[SecuritySection].preset == "strict"
    return [LocalStrategy(settings[LocalSection], host, strict=strict)]


@hookimpl
def register_controllers(host: Host) -> Iterable[Controller]:
    """Offer the reset flow of `local`."""
    local = host.strategies.get(LocalStrategy.name)
    return [PasswordController(local, host.users, host.logins)] if isinstance(local, LocalStrategy) else []
