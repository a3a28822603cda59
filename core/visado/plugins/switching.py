"""Administrators disable and enable plugins while the host runs; the storage holds which are disabled."""

from __future__ import annotations

import logging
from typing import Final

from visado import errors
from visado.events import PluginSwitched
from visado.host import Events
from visado.plugins.manager import Plugin, Plugins
from visado.storage.protocol import Collection, Storage
from visado.storage.query import Query

COLLECTION: Final = "plugins"
_log = logging.getLogger("visado.plugins")


class Switches:
    """The plugins that administrators disabled. A disabled plugin serves no request, and its data stays."""

    def __init__(self, storage: Storage, plugins: Plugins, events: Events) -> None:
        self._storage, self._plugins, self._events = storage, plugins, events
        storage.declare(Collection(COLLECTION))

    async def open(self) -> None:
        """Disable the plugins that were disabled before the restart, except those of `[plugins] required`."""
        for name, _ in (await self._storage.search(COLLECTION, Query())).hits:
            if self._plugins.get(name) is None:
                continue
            try:
                self._check_dispensable(name)
            except errors.PluginRequired as error:
                _log.warning("%s", error.text)
            else:
                self._plugins.disable(name)

    async def disable(self, name: str) -> Plugin:
        """Disable a plugin. Raises `PluginNotFound`, or `PluginRequired` for a required plugin and the storage's."""
        plugin = self._check_dispensable(name)
        async with self._storage.transaction():
            if await self._storage.get(COLLECTION, name) is None:
                await self._storage.create(COLLECTION, name, {})
            self._storage.after_commit(lambda: self._plugins.disable(name))
            self._events.note(PluginSwitched(target=name, on=False))
        return plugin

    async def enable(self, name: str) -> Plugin:
        """Enable a disabled or quarantined plugin. Raises `PluginNotFound`, or `PluginNotLoaded`."""
        plugin = self._find(name)
        if not plugin.loaded:
            raise errors.PluginNotLoaded(plugin=name, reason=plugin.reason)
        async with self._storage.transaction():
            await self._storage.delete(COLLECTION, name)
            self._storage.after_commit(lambda: self._plugins.enable(name))
            self._events.note(PluginSwitched(target=name, on=True))
        return plugin

    def _find(self, name: str) -> Plugin:
        plugin = self._plugins.get(name)
        if plugin is None:
            raise errors.PluginNotFound(plugin=name)
        return plugin

    def _check_dispensable(self, name: str) -> Plugin:
        plugin = self._find(name)
        if name in self._plugins.required:
            raise errors.PluginRequired(plugin=name, reason="plugins.required names it")
        if any(each.startswith("storage ") for each in plugin.contributes):
            raise errors.PluginRequired(plugin=name, reason="it is the storage")
        return plugin
