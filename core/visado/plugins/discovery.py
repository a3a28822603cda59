"""What is installed, and how it is set up: the plugins, the settings of all, and the storage that they name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visado.plugins import manager
from visado.plugins.manager import Plugin, Plugins, StartError
from visado.plugins.watchdog import Watchdog
from visado.settings import loading, sections
from visado.settings.loading import Section, Settings
from visado.storage.protocol import Storage


def discover(
    *,
    config: Path | None = None,
    secrets: Path | None = None,
    given: Mapping[str, Mapping[str, Any]] | None = None,
    watchdog: Watchdog | None = None,
) -> tuple[Plugins, Settings]:
    """Find the plugins, and read the settings of all. Raises `SettingsError`, `StartError`."""
    first = loading.load([sections.PluginsSection], config=config, secrets=secrets, given=given, rest="ignore")
    installed = manager.discover(first[sections.PluginsSection], watchdog)
    declared: list[type[Section]] = [*sections.SECTIONS]

    def take(plugin: Plugin, section: Any) -> None:
        if not (inspect.isclass(section) and issubclass(section, Section)):
            raise TypeError(f"register_settings returns a Section, not {type(section).__name__}")
        plugin.note("settings", [f"[{section.name}]"])
        declared.append(section)

    installed.call("register_settings", take)
    away = [plugin.name for plugin in installed if plugin.state != "active"]  # their tables do no harm
    return installed, loading.load(declared, config=config, secrets=secrets, given=given, away=away)


def open_storage(installed: Plugins, settings: Settings) -> Storage:
    """Make the storage that `[storage] url` names; it is still to be opened. Raises `StartError`."""
    found: list[Storage] = []

    def take(plugin: Plugin, storage: Storage | None) -> None:
        if storage is not None:
            plugin.note("storage", [settings[sections.StorageSection].url])
            found.append(storage)

    installed.call("open_storage", take, settings=settings)
    if len(found) != 1:
        url, how = settings[sections.StorageSection].url, "no plugin opens" if not found else "two plugins open"
        raise StartError(f"storage.url: {how} {url!r}")
    return found[0]
