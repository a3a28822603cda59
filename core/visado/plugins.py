"""Finding plugins: entry points in the order of their names, each in a quarantine of its own if it fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, Literal

import pluggy

from visado import hookspecs
from visado.sections import PluginsSection
from visado.values import is_list

GROUP: Final = "visado"
_log = logging.getLogger("visado.plugins")


class StartError(Exception):
    """The host cannot start as it is configured; the text says why, and what to do."""


@dataclass(slots=True)
class Plugin:
    """A plugin that is installed: what it brings, or why it does not."""

    name: str
    package: str
    version: str
    state: Literal["active", "disabled", "quarantined"] = "active"
    reason: str = ""
    contributes: list[str] = field(default_factory=list[str])

    def note(self, kind: str, names: Iterable[str]) -> None:
        """Remember what the plugin brings, for `visado plugins` and the start-up report."""
        self.contributes.extend(f"{kind} {name}" for name in names)

    def quarantine(self, error: BaseException) -> None:
        """Go on without the plugin, and say why."""
        self.state = "quarantined"
        self.reason = ": ".join(filter(None, (type(error).__name__, " ".join(str(error).split()))))
        _log.error("the plugin %r of %s %s is quarantined: %s", self.name, self.package, self.version, self.reason)


class Plugins:
    """The plugins of this host, and the hooks that they answer."""

    def __init__(self, points: Iterable[EntryPoint], settings: PluginsSection) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._required = frozenset(settings.required)
        self._plugins: dict[str, Plugin] = {}
        for point in sorted(points, key=lambda each: each.name):
            package, version = (point.dist.name, point.dist.version) if point.dist else ("?", "?")
            plugin = self._plugins.setdefault(point.name, Plugin(point.name, package, version))
            if (plugin.package, plugin.version) != (package, version):
                raise StartError(f"the plugin {point.name!r} is declared by {plugin.package} and by {package}")
            if point.name in settings.disabled:
                plugin.state = "disabled"
            else:
                self._load(plugin, point)

    def __iter__(self) -> Any:
        return iter(self._plugins.values())

    def _load(self, plugin: Plugin, point: EntryPoint) -> None:
        try:
            self._manager.register(point.load(), name=plugin.name)
            self._manager.check_pending()  # a misspelt hook would otherwise register in silence
        except (Exception, SystemExit) as error:  # whatever a foreign module does when it is imported
            self._drop(plugin, error)

    def _drop(self, plugin: Plugin, error: BaseException) -> None:
        plugin.quarantine(error)
        if self._manager.has_plugin(plugin.name):
            self._manager.unregister(name=plugin.name)

    def call(self, hook: str, take: Callable[[Plugin, Any], None], **arguments: Any) -> None:
        """Call a hook, plugin by plugin in the order of their names, and hand what it returns to `take`.

        A plugin that fails, or whose answer `take` refuses, is quarantined; a `StartError` of `take` is not caught.
        """
        for plugin in self._plugins.values():
            others = [module for name, module in self._manager.list_name_plugin() if name != plugin.name]
            if plugin.state != "active" or not self._implements(plugin, hook):
                continue
            try:
                found: Any = self._manager.subset_hook_caller(hook, others)(**arguments)
                for answer in found if is_list(found) else [found]:
                    take(plugin, answer)
            except StartError:
                raise
            except (Exception, SystemExit) as error:
                self._drop(plugin, error)

    def _implements(self, plugin: Plugin, hook: str) -> bool:
        callers = self._manager.get_hookcallers(self._manager.get_plugin(plugin.name)) or []
        return any(caller.name == hook for caller in callers)

    def check_required(self) -> None:
        """Raise `StartError` unless every required plugin is there and well."""
        for name in sorted(self._required):
            plugin = self._plugins.get(name)
            if plugin is None:
                raise StartError(f"plugins.required: the plugin {name!r} is not installed")
            if plugin.state != "active":
                raise StartError(f"plugins.required: the plugin {name!r} is {plugin.state} {plugin.reason}".rstrip())


def discover(settings: PluginsSection) -> Plugins:
    """Find the installed plugins."""
    return Plugins(entry_points(group=GROUP), settings)
