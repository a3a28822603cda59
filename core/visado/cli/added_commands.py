"""The commands of plugins, as their hook `register_commands` adds them.

A command with a colon (`ldap:check`) belongs to the plugin that its name begins with, and no other plugin is imported
for it. For a command without a colon (`new-plugin`) every plugin is imported.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final

from visado.cli import options
from visado.plugins.discovery import Candidate, find_candidates

_PACKAGES: Final = {"new-plugin": "visado-kit"}
"""Commands of which every installation knows the package: where it is missing, the command says so."""


class PluginCommands:
    """The commands of one plugin: the argument of `register_commands`."""

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
        from visado.cli.building import read_settings  # noqa: PLC0415 - imports the whole host

        settings = read_settings(arguments)
        return settings if isinstance(settings, int) else command_run(arguments, settings)


def _takes_settings(run: Callable[..., int] | None) -> bool:
    """Return whether a command's function is `run(arguments, settings)`, and not `run(arguments)`.

    A command without a function of its own, because its subcommands have one each, takes settings.
    """
    return run is None or len(inspect.signature(run).parameters) > 1


def run(words: Sequence[str], reserved: Collection[str] = ()) -> int | None:
    """Run the plugin's command that the first word names; return its exit code, or None if no plugin has this command.

    `reserved` are the names of visado's own commands, which no plugin may use. The log names a plugin that fails to
    load, and a plugin that adds a command with a name that it must not use.
    """
    name = words[0]
    prefix, colon, _ = name.partition(":")
    loaded = load_commands({prefix} if colon else None, reserved)
    owners = [commands for commands in loaded.values() if commands is not None and name in commands]
    if len(owners) > 1:
        plugins = " and ".join(repr(each.plugin) for each in owners)
        return _complain(
            f"the plugins {plugins} both add the command {name!r}: uninstall all but one of them", options.EXIT_FAILED
        )
    if owners:
        return owners[0].run(words)
    if None in loaded.values():  # the log says why
        return options.EXIT_FAILED if colon else None
    if name in _PACKAGES:
        package = _PACKAGES[name]
        return _complain(
            f"{name} is a command of {package}, which is not installed: pip install {package}", options.EXIT_USAGE
        )
    return None


def load_commands(
    names: Collection[str] | None = None, reserved: Collection[str] = ()
) -> dict[str, PluginCommands | None]:
    """Import the plugins of these names, or all plugins; return the commands of each by its name.

    The commands of a plugin that fails are None, and the log says why it failed.
    """
    candidates: dict[str, list[Candidate]] = {}
    for each in find_candidates():
        if names is None or each.name in names:
            candidates.setdefault(each.name, []).append(each)
    return {name: _load(name, claims, reserved) for name, claims in candidates.items()}


def _load(plugin: str, claims: Iterable[Candidate], reserved: Collection[str]) -> PluginCommands | None:
    from visado.plugins.manager import Plugins  # noqa: PLC0415 - imports every hook, which actions do not need
    from visado.settings.sections import PluginsSection  # noqa: PLC0415

    commands = PluginCommands(plugin, reserved)
    plugins = Plugins(claims, PluginsSection.model_validate({}))
    plugins.call("register_commands", _ignore, commands=commands)
    return commands if all(each.state == "active" for each in plugins) else None


def _ignore(_: object, __: object) -> None:
    """Drop the result of a hook that returns nothing."""


def log_in(strategy: str, url: str) -> int | None:
    """Log in with a strategy that redirects a browser: by the command `PLUGIN:login` of the first plugin that has one.

    Returns the exit code, or None if no plugin has such a command.
    """
    for plugin, commands in load_commands().items():
        name = f"{plugin}:login"
        if commands is not None and name in commands:
            return commands.run([name, strategy, "--url", url])
    return None


def _complain(text: str, code: int) -> int:
    print(f"visado: {text}", file=sys.stderr)
    return code
