"""Switching plugins off and on while the host runs, and remembering it."""

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
    """Which plugins an administrator has switched off. What they bring is gone for the next request, and kept."""

    def __init__(self, storage: Storage, plugins: Plugins, events: Events) -> None:
        self._storage, self._plugins, self._events = storage, plugins, events
        storage.declare(Collection(COLLECTION))

    async def open(self) -> None:
        """Switch off what was off before; `plugins.required` wins."""
        for name, _ in (await self._storage.search(COLLECTION, Query())).hits:
            if self._plugins.get(name) is None:
                continue
            try:
                self._check(name)
            except errors.PluginNeeded as error:
                _log.warning("%s", error.text)
            else:
                self._plugins.switch(name, on=False)

    async def off(self, name: str) -> Plugin:
        """Switch a plugin off. Raises `PluginNotFound`, and `PluginNeeded` where the host cannot do without."""
        plugin = self._check(name)
        async with self._storage.transaction():
            if await self._storage.get(COLLECTION, name) is None:
                await self._storage.create(COLLECTION, name, {})
            self._storage.after_commit(lambda: self._plugins.switch(name, on=False))
            self._events.note(PluginSwitched(target=name, on=False))
        return plugin

    async def on(self, name: str) -> Plugin:
        """Switch a plugin on again. Raises `PluginNotFound`, and `PluginAbsent` where it was not loaded."""
        plugin = self._find(name)
        if not plugin.loaded:
            raise errors.PluginAbsent(plugin=name, reason=plugin.reason)
        async with self._storage.transaction():
            await self._storage.delete(COLLECTION, name)
            self._storage.after_commit(lambda: self._plugins.switch(name, on=True))
            self._events.note(PluginSwitched(target=name, on=True))
        return plugin

    def _find(self, name: str) -> Plugin:
        plugin = self._plugins.get(name)
        if plugin is None:
            raise errors.PluginNotFound(plugin=name)
        return plugin

    def _check(self, name: str) -> Plugin:
        plugin = self._find(name)
        if name in self._plugins.required:
            raise errors.PluginNeeded(plugin=name, reason="plugins.required names it")
        if any(each.startswith("storage ") for each in plugin.contributes):
            raise errors.PluginNeeded(plugin=name, reason="it keeps the data")
        return plugin
