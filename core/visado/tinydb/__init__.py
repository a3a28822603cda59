"""The default storage: TinyDB, its documents in memory, every change on disk before it is acknowledged.

Owns the folder of `[storage] url = "tinydb:PATH"`: its files and format (`journal`, `frames`), who waits for
a write (`commits`), what a transaction hides and holds (`transactions`), the tables in memory (`tables`).
"""

from __future__ import annotations

from pathlib import Path

import pluggy

from visado.settings.loading import Settings
from visado.settings.sections import ServerSection, StorageSection
from visado.tinydb.storage import TinyStorage

__all__ = ["TinyStorage", "open_storage"]

hookimpl = pluggy.HookimplMarker("visado")


@hookimpl
def open_storage(settings: Settings) -> TinyStorage | None:
    """Keep documents in a folder, where the URL is `tinydb:PATH`; without a path, in the data folder."""
    scheme, _, path = settings[StorageSection].url.partition(":")
    if scheme != "tinydb":
        return None
    return TinyStorage(Path(path) if path else settings[ServerSection].data)
