"""Building the host, and reading its settings, from the arguments of a command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from visado.app import Visado, create_app
from visado.cli.options import EXIT_FAILED, EXIT_USAGE
from visado.plugins.calls import Part, get_problem
from visado.plugins.loading import load_plugins
from visado.plugins.manager import StartError
from visado.plugins.watchdog import Watchdog
from visado.settings.loading import Settings, SettingsError
from visado.storage.protocol import StorageError

T = TypeVar("T")
_DEFAULT_CONFIG: Final = Path("visado.toml")
SERVER_OPTIONS: Final = ("host", "port", "data")


def build_host(arguments: argparse.Namespace, watchdog: Watchdog | None = None) -> Visado | int:
    """Build the host. On failure, print the error and return the exit code."""
    return _attempt(partial(create_app, watchdog=watchdog), arguments)


def read_settings(arguments: argparse.Namespace) -> Settings | int:
    """Read the settings as `visado serve` does. On failure, print the error and return the exit code."""
    discovered = _attempt(load_plugins, arguments)
    return discovered if isinstance(discovered, int) else discovered[1]


def _attempt(make: Callable[..., T], arguments: argparse.Namespace) -> T | int:
    config = Path(arguments.config) if arguments.config else _DEFAULT_CONFIG
    secrets = Path(arguments.secrets) if arguments.secrets else None
    try:
        return make(
            _server_settings(arguments),
            config=config if arguments.config or config.is_file() else None,
            secrets=secrets,
        )
    except SettingsError as error:
        return print_error(error, EXIT_USAGE)
    except (StartError, StorageError) as error:
        return print_error(error, EXIT_FAILED)


def _server_settings(arguments: argparse.Namespace) -> Mapping[str, Mapping[str, Any]]:
    """Return the settings of the section `server` that the command's options give."""
    server = {name: getattr(arguments, name, None) for name in SERVER_OPTIONS}
    return {"server": {name: value for name, value in server.items() if value is not None}}


def problems(host: Visado) -> Iterator[str]:
    """Yield the parts of active plugins that do not work at the moment, each with the reason."""
    parts: list[tuple[str, Part]] = [
        *((f"strategy {name}", strategy) for name, strategy in host.security.strategies.items()),
        *((f"login check {check.name}", check) for check in host.security.login_checks),
        *((f"token verifier {verifier.name}", verifier) for verifier in host.security.token_verifiers),
        *((f"observer of {plugin}", observer) for plugin, observer in host.security.observers),
    ]
    for name, part in parts:
        reason = get_problem(part)
        if reason is not None:
            yield f"{name}: {reason}"


def print_error(error: Exception, code: int) -> int:
    """Print an error on standard error, and return the exit code."""
    print(f"visado: {error}", file=sys.stderr)
    return code
