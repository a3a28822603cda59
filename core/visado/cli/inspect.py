"""`visado plugins` and `visado config`: list the plugins, and check the settings."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from visado.cli.plugin_commands import PluginCommands, load_commands
from visado.cli.startup import build_host, problems
from visado.plugins.watchdog import Watchdog
from visado.settings.loading import Section


def list_plugins(arguments: argparse.Namespace) -> int:
    """Print every plugin with its package, version and state, what it provides, or why it does not work."""
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


def show_config(arguments: argparse.Namespace) -> int:
    """Check the settings and print them, with asterisks for secrets; with `--template`, print a commented template."""
    host = build_host(arguments)
    if isinstance(host, int):
        return host
    if arguments.template:
        print("\n".join(line for section in host.settings.classes() for line in _template(section.name, section)))
    else:
        print(json.dumps(host.settings.public(), indent=2))
    return 0


def _template(name: str, section: type[BaseModel]) -> Iterator[str]:
    yield f"# {(section.__doc__ or '').strip().splitlines()[0]}"
    yield f"[{name}]"
    nested: list[tuple[str, type[BaseModel]]] = []
    for key, field in section.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        if isinstance(default, Section):
            nested.append((f"{name}.{key}", type(default)))
            continue
        if field.description:
            yield f"# {field.description}"
        has_default = not (default is None or default is PydanticUndefined or isinstance(default, SecretStr))
        yield f"# {key} = {_toml(default)}" if has_default else f"# {key} has no default"
    yield ""
    for place, inner in nested:
        yield from _template(place, inner)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{}"
    return json.dumps(value, default=str)
