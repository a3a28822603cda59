"""Commands of plugins. A plugin's commands begin with its own name: `ldap:check` is looked for in `ldap` alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

import pluggy

from visado import hookspecs
from visado.cli.building import read_settings
from visado.cli.options import add_place
from visado.plugins.manager import GROUP


def log_in(strategy: str, url: str) -> int | None:
    """Log in where a strategy sends a browser on: by the `login` command of a plugin that has one, or None."""
    for plugin in sorted(entry_points(group=GROUP).names):
        code = run([f"{plugin}:login", strategy, "--url", url])
        if code is not None:
            return code
    return None


def run(words: Sequence[str]) -> int | None:
    """Run a command of the plugin whose name it begins with; None where there is no such command."""
    plugin, _, _ = words[0].partition(":")
    points = entry_points(group=GROUP, name=plugin)
    if not points:
        return None
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    parser = argparse.ArgumentParser(prog="visado", allow_abbrev=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    try:
        for point in points:
            manager.register(point.load(), name=plugin)
        manager.hook.register_commands(commands=commands)
    except Exception as error:
        print(f"visado: the plugin {plugin!r} does not load: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    if words[0] not in commands.choices:
        return None
    add_place(commands.choices[words[0]])
    arguments = parser.parse_args(words)
    settings = read_settings(arguments)
    if isinstance(settings, int):
        return settings
    code: int = arguments.run(arguments, settings)
    return code
