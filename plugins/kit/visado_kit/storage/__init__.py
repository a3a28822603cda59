"""What every storage must do, as tests to subclass.

    class TestMyStorage(StorageContract):
        def make(self, folder: Path) -> Storage:
            return MyStorage(f"sqlite:{folder}/visado.db")

Two storages made from one folder hold the same documents, one after the other: a storage that keeps them
elsewhere derives a database or a schema from the folder's name.
"""

from __future__ import annotations

from visado_kit.storage.concurrency import Concurrency
from visado_kit.storage.documents import Documents
from visado_kit.storage.durability import Durability
from visado_kit.storage.searching import Searching
from visado_kit.storage.transactions import Transactions

__all__ = ["StorageContract"]


class StorageContract(Documents, Concurrency, Searching, Transactions, Durability):
    """The suite: subclass it under a name that begins with `Test`, and say how to make the storage."""
