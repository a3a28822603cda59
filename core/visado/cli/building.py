"""Building a host from the words of the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from visado.app import Visado, create_app
from visado.plugins.calls import Part, get_problem
from visado.plugins.discovery import discover
from visado.plugins.manager import StartError
from visado.plugins.watchdog import Watchdog
from visado.settings.loading import Settings, SettingsError
from visado.storage.protocol import StorageError

T = TypeVar("T")
WRONG_SETTINGS = 2
CANNOT_START = 1


def from_arguments(arguments: argparse.Namespace, watchdog: Watchdog | None = None) -> Visado | int:
    """Build a host, or say on standard error why not and return the exit code."""
    return _attempt(partial(create_app, watchdog=watchdog), arguments)


def read_settings(arguments: argparse.Namespace) -> Settings | int:
    """Read the settings as `visado serve` does, or say why not and return the exit code."""
    found = _attempt(discover, arguments)
    return found if isinstance(found, int) else found[1]


def _attempt(make: Callable[..., T], arguments: argparse.Namespace) -> T | int:
    config = Path(arguments.config) if arguments.config else Path("visado.toml")
    secrets = Path(arguments.secrets) if arguments.secrets else None
    try:
        return make(_given(arguments), config=config if arguments.config or config.is_file() else None, secrets=secrets)
    except SettingsError as error:
        return complain(error, WRONG_SETTINGS)
    except (StartError, StorageError) as error:
        return complain(error, CANNOT_START)


def troubles(host: Visado) -> Iterator[str]:
    """What of an active plugin cannot work at present, and why."""
    named: list[tuple[str, Part]] = [
        *((f"strategy {name}", strategy) for name, strategy in host.security.strategies.items()),
        *((f"login check {check.name}", check) for check in host.security.logins),
        *((f"observer of {plugin}", observer) for plugin, observer in host.security.observers),
    ]
    for name, part in named:
        reason = get_problem(part)
        if reason is not None:
            yield f"{name}: {reason}"


def complain(error: Exception, code: int) -> int:
    """Tell the operator."""
    print(f"visado: {error}", file=sys.stderr)
    return code


def _given(arguments: argparse.Namespace) -> Mapping[str, Mapping[str, Any]]:
    names = ("host", "port", "data")
    server = {name: getattr(arguments, name, None) for name in names}
    return {"server": {name: value for name, value in server.items() if value is not None}}
