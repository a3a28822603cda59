"""The commands of plugins, as their hook `register_commands` adds them.

A command with a colon (`ldap:check`) belongs to the plugin that its name begins with, and no other plugin is imported
for it. For a command without a colon (`new-plugin`) every plugin is imported.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from visado.cli import options
from visado.plugins.distributions import find_candidates
from visado.plugins.manager import Plugin, Plugins
from visado.settings.sections import PluginsSection

_PACKAGES: Final = {"new-plugin": "visado-kit"}
"""Commands that the documentation tells everybody to call, and the packages that bring them."""


class PluginCommands:
    """The commands of one plugin: what `register_commands` is given."""

    def __init__(self, plugin: str, reserved: Collection[str] = ()) -> None:
        self.plugin, self._reserved = plugin, reserved
        self._parser = argparse.ArgumentParser(prog="visado", allow_abbrev=False)
        self._commands = self._parser.add_subparsers(metavar="COMMAND", required=True)

    def __contains__(self, name: str) -> bool:
        return name in self._commands.choices

    def names(self) -> list[str]:
        """Return the names of the commands, in the order in which they were added."""
        return list(self._commands.choices)

    def add_parser(self, name: str, **options: Any) -> argparse.ArgumentParser:
        """Add a command. Raises `ValueError` for a name that the plugin must not use."""
        if name in self._reserved:
            raise ValueError(f"it adds the command {name!r}, which is one of visado's own: choose another name")
        prefix, colon, _ = name.partition(":")
        if colon and prefix != self.plugin:
            raise ValueError(f"it adds the command {name!r}: a name with a colon begins with {self.plugin + ':'!r}")
        return self._commands.add_parser(name, **options)

    def run(self, words: Sequence[str]) -> int:
        """Parse the words of the command line, read the settings if the command takes them, and run the command."""
        command = self._commands.choices[words[0]]
        takes_settings = _takes_settings(command.get_default("run"))
        if takes_settings:
            options.add_settings_options(command)
        arguments = self._parser.parse_args(words)
        command_run: Callable[..., int] = arguments.run
        if not takes_settings:
            return command_run(arguments)
        from visado.cli.startup import read_settings  # noqa: PLC0415 - imports the whole host

        settings = read_settings(arguments)
        return settings if isinstance(settings, int) else command_run(arguments, settings)


def _takes_settings(run: Callable[..., int] | None) -> bool:
    """Return whether a command's function is `run(arguments, settings)`, and not `run(arguments)`.

    A command whose own subcommands set `run` has none yet: it takes settings.
    """
    return run is None or len(inspect.signature(run).parameters) > 1


def run(words: Sequence[str], reserved: Collection[str] = ()) -> int | None:
    """Run the plugin's command that is the first of the words; return its exit code, or None if there is none.

    `reserved` are the names of visado's own commands, which no plugin may use. A plugin that does not load, or adds a
    command under a name that it must not use, is told on standard error.
    """
    name = words[0]
    plugin, colon, _ = name.partition(":")
    installed = dict.fromkeys(each.name for each in find_candidates())
    asked = [each for each in installed if each == plugin or not colon]
    loaded = [commands for each in asked if (commands := load(each, reserved)) is not None]
    having = [commands for commands in loaded if name in commands]
    if len(having) > 1:
        return _complain(
            f"the plugins {' and '.join(repr(each.plugin) for each in having)} all add the command {name!r}: "
            "uninstall all of them but one",
            options.EXIT_FAILED,
        )
    if having:
        return having[0].run(words)
    if len(loaded) < len(asked):
        return options.EXIT_FAILED if colon else None
    if name in _PACKAGES:
        package = _PACKAGES[name]
        return _complain(
            f"{name} is a command of {package}, which is not installed: pip install {package}", options.EXIT_USAGE
        )
    return None


def load(plugin: str, reserved: Collection[str] = ()) -> PluginCommands | None:
    """Import a plugin and collect its commands; return None if it fails, after saying why on standard error."""
    commands = PluginCommands(plugin, reserved)
    candidates = [each for each in find_candidates() if each.name == plugin]
    plugins = Plugins(candidates, PluginsSection.model_validate({}))
    plugins.call("register_commands", _ignore, commands=commands)
    return commands if all(each.state == "active" for each in plugins) else None


def _ignore(plugin: Plugin, result: Any) -> None:
    """Drop the result of a hook that returns nothing."""


def log_in(strategy: str, url: str) -> int | None:
    """Log in at a host by the command `PLUGIN:login` of the first plugin that has one.

    For a strategy that sends a browser elsewhere. Returns the exit code, or None if no plugin has such a command.
    """
    for plugin in dict.fromkeys(each.name for each in find_candidates()):
        code = run([f"{plugin}:login", strategy, "--url", url])
        if code is not None:
            return code
    return None


def _complain(text: str, code: int) -> int:
    print(f"visado: {text}", file=sys.stderr)
    return code
