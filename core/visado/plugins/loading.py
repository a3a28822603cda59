"""Start-up: find the installed plugins, read the settings of the host and of all plugins, and make the storage."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visado.plugins.discovery import find_candidates
from visado.plugins.manager import Plugin, Plugins, StartError
from visado.plugins.watchdog import Watchdog
from visado.settings import loading, sections
from visado.settings.loading import Section, Settings
from visado.storage.protocol import Storage


def load_plugins(
    given: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    config: Path | None = None,
    secrets: Path | None = None,
    watchdog: Watchdog | None = None,
) -> tuple[Plugins, Settings]:
    """Find and load the installed plugins, and read all settings. Raises `SettingsError`, `StartError`.

    With a watchdog, a plugin whose import or hook takes too long is interrupted and quarantined.
    """
    first = loading.load([sections.PluginsSection], config=config, secrets=secrets, given=given, undeclared="ignore")
    plugins = Plugins(find_candidates(), first[sections.PluginsSection], watchdog)
    declared: list[type[Section]] = [*sections.SECTIONS]

    def add(plugin: Plugin, section: Any) -> None:
        if not (inspect.isclass(section) and issubclass(section, Section)):
            raise TypeError(f"register_settings returns a Section, not {type(section).__name__}")
        plugin.note("settings", [f"[{section.name}]"])
        declared.append(section)

    plugins.call("register_settings", add)
    unavailable = plugins.unavailable  # their sections may stand in the file without being read
    return plugins, loading.load(declared, config=config, secrets=secrets, given=given, unavailable=unavailable)


def open_storage(plugins: Plugins, settings: Settings) -> Storage:
    """Return the storage that a plugin makes for `[storage] url`, not yet opened.

    Raises `StartError` unless exactly one plugin makes one.
    """
    storages: dict[str, Storage] = {}

    def add(plugin: Plugin, storage: Storage | None) -> None:
        if storage is not None:
            plugin.note("storage", [settings[sections.StorageSection].url])
            storages[plugin.name] = storage

    plugins.call("open_storage", add, settings=settings)
    if len(storages) != 1:
        url, names = settings[sections.StorageSection].url, " and ".join(storages)
        raise StartError(
            f"storage.url: {url!r} is opened by {names}" if names else f"storage.url: no plugin opens {url!r}"
        )
    return next(iter(storages.values()))
