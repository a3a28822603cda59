"""Transactions: the uncommitted changes of a task, and the documents that the task has locked.

Changes wait outside the tables, so other tasks never see half of a transaction, and a rollback drops the changes. A
task that writes a document which an open transaction has written waits for the end of that transaction, as in an SQL
database. Of two transactions that wait for each other, one is refused.
"""

from __future__ import annotations

import asyncio
from collections import ChainMap
from collections.abc import Callable
from typing import TypeAlias

from visado import errors
from visado.tinydb.encoding import EncodedDocument

DocumentKey: TypeAlias = tuple[str, str]
"""A collection and an id."""


class Transaction:
    """The changes of a block, on top of those of the blocks around it."""

    def __init__(self, outer: Transaction | None, failures: int) -> None:
        self.outer = outer
        self.root: Transaction = outer.root if outer else self
        self.changes: ChainMap[DocumentKey, EncodedDocument] = outer.changes.new_child() if outer else ChainMap()
        self.failures = failures
        self.locked: set[DocumentKey] = set()
        self.waits_for: list[Transaction] = []
        self.after_commit: list[Callable[[], None]] = []
        self.ended = asyncio.Event()

    def call_after_commit(self, done: asyncio.Future[None] | None = None) -> None:
        """Make the calls that wait for the commit, unless `done`, the future of the commit, has failed."""
        if done is None or done.exception() is None:
            for call in self.after_commit:
                call()

    def is_stuck_behind(self, other: Transaction) -> bool:
        """Return whether this transaction cannot end before the other one does."""
        return self is other or any(owner.is_stuck_behind(other) for owner in self.waits_for)


class DocumentLocks:
    """The documents that open transactions have written, each with its transaction."""

    def __init__(self) -> None:
        self._owners: dict[DocumentKey, Transaction] = {}

    async def wait(self, key: DocumentKey, transaction: Transaction | None) -> None:
        """Wait until no other transaction holds the lock. Raises `StorageUnavailable` in a deadlock."""
        root = transaction.root if transaction else None
        while (owner := self._owners.get(key)) is not None and owner is not root:
            if root is None:
                await owner.ended.wait()
                continue
            if owner.is_stuck_behind(root):
                raise errors.StorageUnavailable
            root.waits_for.append(owner)
            try:
                await owner.ended.wait()
            finally:
                root.waits_for.remove(owner)

    def lock(self, key: DocumentKey, transaction: Transaction) -> None:
        """Lock a document for a transaction, after `wait` without anything between."""
        self._owners[key] = transaction.root
        transaction.root.locked.add(key)

    def release(self, transaction: Transaction) -> None:
        """Release the locks of a transaction."""
        for key in transaction.locked:
            del self._owners[key]
        transaction.locked.clear()
