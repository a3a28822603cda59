# pyright: reportReturnType=false
"""The hooks, all of them. They run at start-up only, and return objects whose async methods serve requests.

pluggy passes arguments by name: an implementation names only those that it needs. Plugins are called one by one, in
the order of their names.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

import pluggy

from visado.controller import Controller
from visado.events import Observer
from visado.host import Host
from visado.login_check import LoginCheck
from visado.settings.loading import Section, Settings
from visado.storage.protocol import Storage
from visado.strategy import Strategy, StrategyKind
from visado.token_verifier import TokenVerifier

if TYPE_CHECKING:
    from starlette.middleware import Middleware
    from starlette.routing import BaseRoute

hookspec = pluggy.HookspecMarker("visado")


class Commands(Protocol):
    """The commands of a plugin."""

    def add_parser(self, name: str, *, help: str = "") -> ArgumentParser:
        """Add a command and return its parser, whose `set_defaults(run=function)` sets the function of the command.

        The function is `run(arguments, settings)`, or `run(arguments)` if it needs no settings, and returns the exit
        code. Raises `ValueError` for the name of one of visado's own commands, and for the prefix of another plugin.
        """
        ...


@hookspec
def register_settings() -> type[Section]:
    """Return a section of settings, which the host reads and validates with its own."""


@hookspec(firstresult=True)
def open_storage(settings: Settings) -> Storage | None:
    """Return the storage for `[storage] url`, not yet open, or None for a scheme that is not the plugin's."""


@hookspec
def register_strategies(settings: Settings, host: Host) -> Iterable[Strategy]:
    """Return strategies. The storage is not open yet: declare collections now, and read them in `open`."""


@hookspec
def register_strategy_kinds(settings: Settings, host: Host) -> Iterable[StrategyKind]:
    """Return kinds of strategies, of which administrators add strategies while the host runs."""


@hookspec
def register_controllers(settings: Settings, host: Host) -> Iterable[Controller]:
    """Return controllers. Routes, permissions, OpenAPI and commands follow from the declarations of their actions."""


@hookspec
def register_login_checks(settings: Settings, host: Host) -> Iterable[LoginCheck]:
    """Return login checks, which run between the success of a strategy and the token: a second factor, for instance."""


@hookspec
def register_token_verifiers(settings: Settings, host: Host) -> Iterable[TokenVerifier]:
    """Return token verifiers: for requests with a credential that the host did not issue, such as a foreign JWT."""


@hookspec
def register_observers(settings: Settings, host: Host) -> Iterable[Observer]:
    """Return observers, which receive events: logins, refusals, changes."""


@hookspec
def register_middleware(settings: Settings, host: Host) -> Iterable[Middleware]:
    """Return Starlette middleware around the whole application."""


@hookspec
def register_routes(settings: Settings, host: Host) -> Iterable[BaseRoute]:
    """Return Starlette routes beside the API: a console, a login page."""


@hookspec
def register_commands(commands: Commands) -> None:
    """Add commands to the command line: `PLUGIN:NAME`, such as `ldap:check`, or a name without a colon."""
