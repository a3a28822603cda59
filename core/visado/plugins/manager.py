"""The plugins of a host: loaded and called one by one, in the order of their names, each quarantined alone if it fails.

Owns the plugins, the state of each, and which are unavailable. Does not own what they offer: the registries of
strategies, login checks, observers and actions hand out nothing of a plugin in `Plugins.unavailable`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import groupby
from typing import Any, Final, Literal, Protocol

import pluggy
from typing_extensions import override

from visado import hookspecs
from visado.codec import is_list
from visado.plugins.discovery import GROUP, Candidate, describe_conflict, unmet_requirement
from visado.plugins.watchdog import Watchdog
from visado.settings.sections import PluginsSection

HOOK_SECONDS: Final = 10.0
MARKS_WITHOUT_EFFECT: Final = ("tryfirst", "trylast", "wrapper", "hookwrapper")
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
    """An installed plugin: its state, what it contributes, or the reason why it is unavailable."""

    name: str
    package: str
    version: str
    state: Literal["active", "disabled", "quarantined"] = "active"
    reason: str = ""
    contributes: list[str] = field(default_factory=list[str])
    module: str = ""
    """The top-level package of its code; empty before it is imported."""
    loaded: bool = False
    """Whether it was imported, called and opened without an error, so that it can be enabled without a restart."""

    def note(self, kind: str, names: Iterable[str]) -> None:
        """Note what the plugin contributes, for `visado plugins` and the start-up report."""
        self.contributes.extend(f"{kind} {name}" for name in names)

    def as_dict(self) -> dict[str, Any]:
        """Return the plugin as JSON: `{package, version, state, contributes, reason}`."""
        members: dict[str, Any] = {"version": self.version, "package": self.package, "state": self.state}
        return members | {"contributes": self.contributes} | ({"reason": self.reason} if self.reason else {})


class Hooks(pluggy.PluginManager):
    """pluggy's registry of hooks. It refuses marks that have no effect where plugins are called one by one."""

    def __init__(self) -> None:
        super().__init__(GROUP)
        self.add_hookspecs(hookspecs)

    @override
    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        options = super().parse_hookimpl_opts(plugin, name)
        for mark in MARKS_WITHOUT_EFFECT if options is not None else ():
            if options is not None and options.get(mark):
                raise TypeError(
                    f"{name} is marked {mark}=True, which has no effect: plugins are called one by one, in the order "
                    "of their names. Remove the mark"
                )
        return options


class Plugins:
    """The plugins of a host, and the hooks that they implement.

    With a watchdog, an import or a hook that takes longer than `HOOK_SECONDS` is interrupted.
    """

    def __init__(
        self, candidates: Iterable[Candidate], settings: PluginsSection, watchdog: Watchdog | None = None
    ) -> None:
        self._watchdog = watchdog
        self.disabled: set[str] = set()
        """The plugins that an administrator or the settings disabled."""
        self.unavailable: set[str] = set()
        """The plugins that are disabled or quarantined."""
        self.on_change: list[Callable[[], None]] = []
        """Called after a plugin became available or unavailable while the host runs."""
        self.required = frozenset(settings.required)
        self._hooks = Hooks()
        self._plugins: dict[str, Plugin] = {}
        for name, claims in groupby(sorted(candidates, key=lambda each: each.name), key=lambda each: each.name):
            self._add(list(claims), disabled=name in settings.disabled)

    def __iter__(self) -> Iterator[Plugin]:
        return iter(self._plugins.values())

    def get(self, name: str) -> Plugin | None:
        """Return the plugin of this name, or None."""
        return self._plugins.get(name)

    def owner_of(self, package: str) -> str | None:
        """Return the name of the plugin whose code is in a package, or None."""
        return next((each.name for each in self if each.module == package), None)

    def disable(self, name: str) -> None:
        """Disable a plugin while the host runs."""
        plugin = self._plugins[name]
        self.disabled.add(name)
        self.unavailable.add(name)
        if plugin.loaded:
            plugin.state, plugin.reason = "disabled", "by an administrator"
        self._changed()

    def enable(self, name: str) -> None:
        """Enable a loaded plugin that is disabled or quarantined."""
        plugin = self._plugins[name]
        self.disabled.discard(name)
        self.unavailable.discard(name)
        plugin.state, plugin.reason = "active", ""
        self._changed()

    def quarantine(self, name: str, reason: str) -> None:
        """Quarantine a plugin while the host runs; an administrator can enable it again."""
        self._quarantine(self._plugins[name], reason)
        self._changed()

    def quarantine_blocking(self, name: str, seconds: float) -> None:
        """Quarantine a plugin that blocked the event loop."""
        self.quarantine(name, f"it blocked the event loop for {seconds:g} s: its slow work belongs into a thread")

    def quarantine_unopened(self, name: str, reason: str) -> None:
        """Quarantine a plugin that failed to open, until the next start. Raises `StartError` for the host's own part.

        `name` is then empty.
        """
        if not name:
            raise StartError(reason)
        self._plugins[name].loaded = False
        self.quarantine(name, reason)

    def _changed(self) -> None:
        for callback in self.on_change:
            callback()

    def _quarantine(self, plugin: Plugin, error: BaseException | str) -> None:
        texts = [error] if isinstance(error, str) else [type(error).__name__, " ".join(str(error).split())]
        plugin.state, plugin.reason = "quarantined", ": ".join(filter(None, texts))
        self.unavailable.add(plugin.name)
        _log.error(
            "the plugin %r of %s %s is quarantined: %s", plugin.name, plugin.package, plugin.version, plugin.reason
        )

    def _add(self, claims: list[Candidate], *, disabled: bool) -> None:
        candidate = claims[0]
        plugin = Plugin(candidate.name, candidate.package, candidate.version)
        self._plugins[plugin.name] = plugin
        if disabled:
            plugin.state, plugin.reason = "disabled", "by the settings"
            self.disabled.add(plugin.name)
            self.unavailable.add(plugin.name)
        elif len(claims) > 1:
            self._quarantine(plugin, describe_conflict(claims))
        else:
            self._load(plugin, candidate)

    def _load(self, plugin: Plugin, candidate: Candidate) -> None:
        plugin.module = candidate.point.module.partition(".")[0]
        unmet = unmet_requirement(candidate.requires, version("visado"))
        if unmet is not None:
            self._quarantine(plugin, f"it requires {unmet}, and this is visado {version('visado')}")
            return
        try:
            with self._limit(plugin, "the import"):
                self._hooks.register(candidate.point.load(), name=plugin.name)
            self._hooks.check_pending()  # a misspelt hook would otherwise be ignored
        except (Exception, SystemExit) as error:  # a module may raise anything when it is imported
            self._drop(plugin, error)
        else:
            plugin.loaded = True

    def _limit(self, plugin: Plugin, what: str) -> Any:
        return self._watchdog.limit(what, HOOK_SECONDS) if self._watchdog and plugin.module != GROUP else nullcontext()

    def _drop(self, plugin: Plugin, error: BaseException) -> None:
        """Quarantine a plugin until the next start, and call none of its hooks."""
        self._quarantine(plugin, error)
        plugin.loaded = False
        if self._hooks.has_plugin(plugin.name):
            self._hooks.unregister(name=plugin.name)

    def call(self, hook: str, take: Callable[[Plugin, Any], None], **arguments: Any) -> None:
        """Call a hook, plugin by plugin in the order of their names, and pass what each returns to `take`.

        A plugin whose hook or whose `take` raises is quarantined; a `StartError` of `take` is raised.
        """
        for plugin in self._plugins.values():
            others = [module for name, module in self._hooks.list_name_plugin() if name != plugin.name]
            if plugin.state != "active" or not self._implements(plugin, hook):
                continue
            try:
                with self._limit(plugin, hook):
                    returned: Any = self._hooks.subset_hook_caller(hook, others)(**arguments)
                for each in returned if is_list(returned) else [returned]:
                    take(plugin, each)
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
        callers = self._hooks.get_hookcallers(self._hooks.get_plugin(plugin.name)) or []
        return any(caller.name == hook for caller in callers)

    def check_required(self) -> None:
        """Raise `StartError` unless every plugin of `[plugins] required` is active."""
        for name in sorted(self.required):
            plugin = self._plugins.get(name)
            if plugin is None:
                raise StartError(f"plugins.required: the plugin {name!r} is not installed")
            if plugin.state != "active":
                raise StartError(f"plugins.required: the plugin {name!r} is {plugin.state} {plugin.reason}".rstrip())
