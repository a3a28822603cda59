"""`visado plugins`: list the plugins, their state, and what they provide."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from visado.cli import options

if TYPE_CHECKING:
    from visado.cli.added_commands import PluginCommands


def add_parser(commands: Any) -> None:
    """Add the command and its options."""
    parser = commands.add_parser("plugins", help="list the installed plugins and their state")
    options.add_settings_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print every plugin with its package, version and state, what it provides, or why it does not work."""
    from visado.cli.added_commands import load_commands  # noqa: PLC0415 - imports the whole host
    from visado.cli.building import build_host, problems  # noqa: PLC0415
    from visado.plugins.watchdog import Watchdog  # noqa: PLC0415

    host = build_host(arguments, Watchdog())
    if isinstance(host, int):
        return host
    commands = load_commands({plugin.name for plugin in host.plugins if plugin.state == "active"})
    for plugin in host.plugins:
        print(f"{plugin.name}  {plugin.package} {plugin.version}  {plugin.state}")
        for line in [*plugin.contributes, *_command_lines(commands.get(plugin.name)), *filter(None, [plugin.reason])]:
            print(f"    {line}")
    for problem in problems(host):
        print(f"not ready: {problem}")
    if not host.security.strategies:
        print("no strategy: nobody can log in. Install one, for instance: pip install visado-local")
    return 0


def _command_lines(commands: PluginCommands | None) -> list[str]:
    return [f"command {name}" for name in commands.names()] if commands else []
