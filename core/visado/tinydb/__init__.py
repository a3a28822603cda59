"""The default storage: TinyDB with its documents in memory, and each change on disk before it is acknowledged.

Owns the folder of `[storage] url = "tinydb:PATH"`: its files and their format (`journal`, `frames`, `encoding`), group
commit (`commits`), transactions and their locks (`transactions`), the tables in memory (`tables`) and their search
(`searching`). Does not own the meaning of a search: that is `visado.storage.query`.
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
    """Return a storage in a folder if the URL is `tinydb:PATH`; without a path, in the data folder."""
    scheme, _, path = settings[StorageSection].url.partition(":")
    if scheme != "tinydb":
        return None
    return TinyStorage(Path(path) if path else settings[ServerSection].data)
