"""Finding plugins: entry points in the order of their names, each in a quarantine of its own if it fails.

Owns which plugins there are, what state each is in, and which of them are switched off. The registries (strategies,
login checks, observers, actions) ask `off` before they hand anything out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points, version
from typing import Any, Final, Literal, Protocol

import pluggy

from visado import hookspecs
from visado.codec import is_list
from visado.plugins.requirements import unmet
from visado.plugins.watchdog import Watchdog
from visado.settings.sections import PluginsSection

GROUP: Final = "visado"
_HOOK_LIMIT: Final = 10.0
_log = logging.getLogger("visado.plugins")


class StartError(Exception):
    """The host cannot start as it is configured; the text says why, and what to do."""


class Registry(Protocol):
    """A collection of objects that plugins offer: strategies, login checks, observers."""

    def add(self, offered: Any, plugin: str, /) -> None:
        """Add an object of a plugin. Raises `TypeError` for a wrong type, `ValueError` for a taken name."""
        ...


@dataclass(slots=True)
class Plugin:
    """A plugin that is installed: what it brings, or why it does not."""

    name: str
    package: str
    version: str
    state: Literal["active", "disabled", "quarantined"] = "active"
    reason: str = ""
    contributes: list[str] = field(default_factory=list[str])
    module: str = ""
    loaded: bool = False

    def note(self, kind: str, names: Iterable[str]) -> None:
        """Remember what the plugin brings, for `visado plugins` and the start-up report."""
        self.contributes.extend(f"{kind} {name}" for name in names)

    def shown(self) -> dict[str, Any]:
        """Show the plugin: `{package, version, state, contributes, reason}`."""
        shown: dict[str, Any] = {"version": self.version, "package": self.package, "state": self.state}
        return shown | {"contributes": self.contributes} | ({"reason": self.reason} if self.reason else {})

    def quarantine(self, error: BaseException | str) -> None:
        """Go on without the plugin, and say why."""
        words = [error] if isinstance(error, str) else [type(error).__name__, " ".join(str(error).split())]
        self.state, self.reason = "quarantined", ": ".join(filter(None, words))
        _log.error("the plugin %r of %s %s is quarantined: %s", self.name, self.package, self.version, self.reason)


class Plugins:
    """The plugins of this host, and the hooks that they answer."""

    def __init__(
        self, points: Iterable[EntryPoint], settings: PluginsSection, watchdog: Watchdog | None = None
    ) -> None:
        self._watchdog = watchdog
        self.disabled: set[str] = set()
        """The plugins that an administrator has switched off."""
        self.on_switch: list[Callable[[], None]] = []
        self.unavailable: set[str] = set()
        """Those, and the ones that were quarantined at work: nothing of theirs is handed out."""
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self.required = frozenset(settings.required)
        self._plugins: dict[str, Plugin] = {}
        for point in sorted(points, key=lambda each: each.name):
            package, version = (point.dist.name, point.dist.version) if point.dist else ("?", "?")
            plugin = self._plugins.setdefault(point.name, Plugin(point.name, package, version))
            if (plugin.package, plugin.version) != (package, version):
                raise StartError(f"the plugin {point.name!r} is declared by {plugin.package} and by {package}")
            if point.name in settings.disabled:
                plugin.state, plugin.reason = "disabled", "by the settings"
            else:
                self._load(plugin, point)

    def __iter__(self) -> Iterator[Plugin]:
        return iter(self._plugins.values())

    def get(self, name: str) -> Plugin | None:
        """The plugin of this name, or None."""
        return self._plugins.get(name)

    def owner(self, package: str) -> str | None:
        """The plugin whose code is in a package, or None."""
        return next((each.name for each in self if each.module == package), None)

    def switch(self, name: str, *, on: bool) -> None:
        """Switch a plugin that is loaded on or off."""
        plugin = self._plugins[name]
        change = set[str].discard if on else set[str].add
        change(self.unavailable, name)
        change(self.disabled, name)
        if plugin.loaded:
            plugin.state, plugin.reason = ("active", "") if on else ("disabled", "by an administrator")
        self._switched()

    def _switched(self) -> None:
        for hear in self.on_switch:
            hear()

    def fail(self, name: str, reason: str) -> None:
        """Quarantine a plugin that could not open, until the next start. Raises `StartError` where none is named."""
        if not name:
            raise StartError(reason)
        self.suspend(name, reason)
        self._plugins[name].loaded = False

    def suspend(self, name: str, reason: str) -> None:
        """Go on without a plugin that was at work."""
        self._plugins[name].quarantine(reason)
        self.unavailable.add(name)
        self._switched()

    def interrupted(self, name: str, seconds: float) -> None:
        """Go on without a plugin that has held up the whole host."""
        self.suspend(name, f"it held up the whole host for {seconds:g} s: its slow work belongs into a thread")

    def _load(self, plugin: Plugin, point: EntryPoint) -> None:
        plugin.module = point.module.partition(".")[0]
        asked = unmet((point.dist.requires or []) if point.dist else [], version("visado"))
        if asked:
            plugin.quarantine(f"it needs visado {asked}, and this is {version('visado')}")
            return
        try:
            with self._limit(plugin, "the import"):
                self._manager.register(point.load(), name=plugin.name)
            self._manager.check_pending()  # a misspelt hook would otherwise register in silence
        except (Exception, SystemExit) as error:  # whatever a foreign module does when it is imported
            self._drop(plugin, error)
        else:
            plugin.loaded = True

    def _limit(self, plugin: Plugin, what: str) -> Any:
        return self._watchdog.during(what, _HOOK_LIMIT) if self._watchdog and plugin.module != GROUP else nullcontext()

    def _drop(self, plugin: Plugin, error: BaseException) -> None:
        plugin.quarantine(error)
        plugin.loaded = False
        self.unavailable.add(plugin.name)
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
                with self._limit(plugin, hook):
                    found: Any = self._manager.subset_hook_caller(hook, others)(**arguments)
                for answer in found if is_list(found) else [found]:
                    take(plugin, answer)
            except StartError:
                raise
            except (Exception, SystemExit) as error:
                self._drop(plugin, error)

    def register(self, hook: str, kind: str, registry: Registry, **arguments: Any) -> None:
        """Call a hook, and add the objects that each plugin returns to a registry.

        Raises `StartError` where a name is taken. A plugin that returns an object of the wrong type is quarantined.
        """

        def add(plugin: Plugin, offered: Iterable[Any]) -> None:
            for each in list(offered):  # a plugin whose generator fails halfway registers nothing
                try:
                    registry.add(each, plugin.name)
                except ValueError as error:
                    raise StartError(str(error)) from None
                plugin.note(kind, [getattr(each, "name", type(each).__name__)])

        self.call(hook, add, **arguments)

    def _implements(self, plugin: Plugin, hook: str) -> bool:
        callers = self._manager.get_hookcallers(self._manager.get_plugin(plugin.name)) or []
        return any(caller.name == hook for caller in callers)

    def check_required(self) -> None:
        """Raise `StartError` unless every required plugin is there and well."""
        for name in sorted(self.required):
            plugin = self._plugins.get(name)
            if plugin is None:
                raise StartError(f"plugins.required: the plugin {name!r} is not installed")
            if plugin.state != "active":
                raise StartError(f"plugins.required: the plugin {name!r} is {plugin.state} {plugin.reason}".rstrip())


def discover(settings: PluginsSection, watchdog: Watchdog | None = None) -> Plugins:
    """Find the installed plugins. With an watchdog, an import or a hook that takes too long is interrupted."""
    return Plugins(entry_points(group=GROUP), settings, watchdog)
