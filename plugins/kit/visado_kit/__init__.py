"""The plugin author's kit: suites to subclass, hosts to test against, a clock, and secrets that are followed.

Owns what a plugin promises, as tests: a suite for each kind of plugin (`strategy`, `login_check`, `observer`,
`storage`), a real host in a process of its own (`live`), and pytest fixtures (`fixtures`). Their names can be imported
from here. It needs pytest, which is yours to install.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from visado_kit.canaries import Canaries
    from visado_kit.clock import Clock
    from visado_kit.live import LiveHost, serve
    from visado_kit.login_check import LoginCheckContract
    from visado_kit.observer import ObserverContract
    from visado_kit.stage import HOSTILE, open_host
    from visado_kit.storage import StorageContract
    from visado_kit.strategy import StrategyContract

__all__ = [
    "HOSTILE",
    "Canaries",
    "Clock",
    "LiveHost",
    "LoginCheckContract",
    "ObserverContract",
    "StorageContract",
    "StrategyContract",
    "open_host",
    "serve",
]

_HOMES: Final = {
    "Canaries": "canaries",
    "Clock": "clock",
    "HOSTILE": "stage",
    "LiveHost": "live",
    "LoginCheckContract": "login_check",
    "ObserverContract": "observer",
    "StorageContract": "storage",
    "StrategyContract": "strategy",
    "open_host": "stage",
    "serve": "live",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and nothing else: `live` does without pytest."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
