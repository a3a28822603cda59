"""visado-kit: what an author of plugins needs to make, test and publish one.

Owns the contract suites (`login`, `credentials`, `strategy`, `login_check`, `token_verifier`, `observer`, `storage`), a
real host for tests (`live`), pytest fixtures (`fixtures`) and the command `visado new-plugin`. The names of `__all__`
can be imported from here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from visado import hookimpl
from visado_kit import commands as kit_commands

if TYPE_CHECKING:
    from visado import Commands
    from visado_kit.canaries import Canaries
    from visado_kit.client_request import ClientRequest, build_request
    from visado_kit.clock import Clock
    from visado_kit.credentials import CredentialsContract
    from visado_kit.hostile import HOSTILE_VALUES
    from visado_kit.in_process import InProcessHost, build_host
    from visado_kit.live import LiveHost, serve
    from visado_kit.login import LoginContract, Question
    from visado_kit.login_check import LoginCheckContract
    from visado_kit.observer import ObserverContract
    from visado_kit.storage import StorageContract
    from visado_kit.strategy import StrategyContract
    from visado_kit.token_verifier import TokenVerifierContract

__all__ = [
    "HOSTILE_VALUES",
    "Canaries",
    "ClientRequest",
    "Clock",
    "CredentialsContract",
    "InProcessHost",
    "LiveHost",
    "LoginCheckContract",
    "LoginContract",
    "ObserverContract",
    "Question",
    "StorageContract",
    "StrategyContract",
    "TokenVerifierContract",
    "build_host",
    "build_request",
    "serve",
]

_MODULES: Final = {
    "Canaries": "canaries",
    "Clock": "clock",
    "CredentialsContract": "credentials",
    "HOSTILE_VALUES": "hostile",
    "InProcessHost": "in_process",
    "LiveHost": "live",
    "LoginCheckContract": "login_check",
    "LoginContract": "login",
    "ClientRequest": "client_request",
    "ObserverContract": "observer",
    "Question": "login",
    "StorageContract": "storage",
    "StrategyContract": "strategy",
    "TokenVerifierContract": "token_verifier",
    "build_host": "in_process",
    "build_request": "client_request",
    "serve": "live",
}


@hookimpl
def register_commands(commands: Commands) -> None:
    """Add `visado new-plugin`."""
    kit_commands.add(commands)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: a host that has the kit installed imports no pytest."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
