# pyright: reportReturnType=false
"""Every hook, on one page. They run at start-up only: they return objects, and the objects have async methods.

pluggy injects by argument name: an implementation names only what it needs.
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

if TYPE_CHECKING:
    from starlette.middleware import Middleware
    from starlette.routing import BaseRoute

hookspec = pluggy.HookspecMarker("visado")


class Commands(Protocol):
    """The commands of a plugin."""

    def add_parser(self, name: str, *, help: str = "") -> ArgumentParser:
        """Add a command; `set_defaults(run=function)` of its parser says what it does.

        The function is `run(arguments, settings)`, or `run(arguments)` if it needs no settings, and returns the exit
        code. Raises `ValueError` for the name of one of visado's own commands, and for the prefix of another plugin.
        """
        ...


@hookspec
def register_settings() -> type[Section]:
    """Declare a table of settings: it is read, checked and documented with the host's own."""


@hookspec(firstresult=True)
def open_storage(settings: Settings) -> Storage | None:
    """Make the storage for `[storage] url`, or return None where its scheme is another's."""


@hookspec
def register_strategies(settings: Settings, host: Host) -> Iterable[Strategy]:
    """Offer ways to log in. Called before the storage is open: declare collections here, read them later."""


@hookspec
def register_strategy_kinds(settings: Settings, host: Host) -> Iterable[StrategyKind]:
    """Let administrators add strategies of a kind while the host runs: another directory, another provider."""


@hookspec
def register_controllers(settings: Settings, host: Host) -> Iterable[Controller]:
    """Offer actions: routes, permissions, OpenAPI and commands follow from their declaration."""


@hookspec
def register_login_checks(settings: Settings, host: Host) -> Iterable[LoginCheck]:
    """Ask something between a strategy's success and the token: a second factor, an agreement."""


@hookspec
def register_observers(settings: Settings, host: Host) -> Iterable[Observer]:
    """Hear of logins, refusals and changes. An observer can never grant anything."""


@hookspec
def register_middleware(settings: Settings, host: Host) -> Iterable[Middleware]:
    """Wrap the whole host in Starlette middleware."""


@hookspec
def register_routes(settings: Settings, host: Host) -> Iterable[BaseRoute]:
    """Serve pages beside the API: a console, a login page."""


@hookspec
def register_commands(commands: Commands) -> None:
    """Add commands to the command line, under the plugin's own name and a colon (`ldap:check`) or without a colon."""
