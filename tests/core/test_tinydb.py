from __future__ import annotations

from pathlib import Path

from visado.storage import Storage
from visado.testing.storage import StorageContract
from visado.tinydb import TinyStorage


class TestTinyStorage(StorageContract):
    def make(self, folder: Path) -> Storage:
        return TinyStorage(folder)
