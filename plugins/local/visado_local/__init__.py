"""visado-local: log in with a user name and a password.

Owns the strategy `local`, its password policies and the reset of passwords. Does not own the storage of credentials:
the host's `Credentials` store them.
"""

from __future__ import annotations

from collections.abc import Iterable

from visado import Controller, Host, Section, Settings, Strategy, hookimpl
from visado_local.controller import PasswordController
from visado_local.settings import LocalSection
from visado_local.strategy import LocalStrategy


@hookimpl
def register_settings() -> type[Section]:
    """Declare the section `[local]`."""
    return LocalSection


@hookimpl
def register_strategies(settings: Settings, host: Host) -> Iterable[Strategy]:
    """Offer the strategy `local`."""
    return [host.single(LocalStrategy, settings, host)]


@hookimpl
def register_controllers(settings: Settings, host: Host) -> Iterable[Controller]:
    """Offer the actions that reset a password."""
    return [PasswordController(host.single(LocalStrategy, settings, host), host)]
