"""The contract of a storage, as tests: subclass `StorageContract`, and make the storage.

    class TestMyStorage(StorageContract):
        def make(self, folder: Path) -> Storage:
            return MyStorage(f"sqlite:{folder}/visado.db")

Two storages made from one folder, one after the other, hold the same documents. A storage that stores documents
elsewhere derives the name of a database or a schema from the name of the folder.
"""

from __future__ import annotations

from visado_kit.storage.concurrency import StorageConcurrency
from visado_kit.storage.documents import StorageDocuments
from visado_kit.storage.durability import StorageDurability
from visado_kit.storage.searching import StorageSearches
from visado_kit.storage.transactions import StorageTransactions

__all__ = ["StorageContract"]


class StorageContract(StorageDocuments, StorageConcurrency, StorageSearches, StorageTransactions, StorageDurability):
    """The suite."""
