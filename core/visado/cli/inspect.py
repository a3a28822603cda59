"""`visado plugins` and `visado config`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from visado.cli import plugin_commands
from visado.cli.building import from_arguments, troubles
from visado.plugins.manager import Plugin
from visado.plugins.watchdog import Watchdog
from visado.settings.loading import Section


def list_plugins(arguments: argparse.Namespace) -> int:
    """List every plugin: package, version, what it brings, or why it is quarantined."""
    host = from_arguments(arguments, Watchdog())
    if isinstance(host, int):
        return host
    for plugin in host.plugins:
        print(f"{plugin.name}  {plugin.package} {plugin.version}  {plugin.state}")
        for line in [*plugin.contributes, *_commands(plugin), *filter(None, [plugin.reason])]:
            print(f"    {line}")
    for what in troubles(host):
        print(f"not ready: {what}")
    if not host.security.strategies:
        print("no strategy: nobody can log in. Install one, for instance: pip install visado-local")
    return 0


def _commands(plugin: Plugin) -> list[str]:
    commands = plugin_commands.load(plugin.name) if plugin.state == "active" else None
    return [f"command {name}" for name in commands.names()] if commands else []


def show_config(arguments: argparse.Namespace) -> int:
    """Check the settings and print them, secrets as stars; or print a template."""
    host = from_arguments(arguments)
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
        none = default is None or default is PydanticUndefined or isinstance(default, SecretStr)
        yield f"# {key} has no default" if none else f"# {key} = {_toml(default)}"
    yield ""
    for place, inner in nested:
        yield from _template(place, inner)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{}"
    return json.dumps(value, default=str)
