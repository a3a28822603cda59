"""Transactions: what a task has written and not yet committed, and the documents that it holds meanwhile.

Changes wait outside the tables: nobody else sees half of them, and to roll back is to forget. Who else writes
the same document waits for the end, as in an SQL database; of two that wait for each other, one is refused.
"""

from __future__ import annotations

import asyncio
from collections import ChainMap
from collections.abc import Callable
from typing import TypeAlias

from visado import errors
from visado.storage.protocol import Document

Key: TypeAlias = tuple[str, str]
"""A collection and an id."""

Written: TypeAlias = tuple[bytes, Document | None]
"""A row, and the document in it."""


class Transaction:
    """The changes of a block, over those of the blocks around it."""

    def __init__(self, outer: Transaction | None, failures: int) -> None:
        self.outer = outer
        self.root: Transaction = outer.root if outer else self
        self.changes: ChainMap[Key, Written] = outer.changes.new_child() if outer else ChainMap()
        self.failures = failures
        self.claimed: set[Key] = set()
        self.waits_for: list[Transaction] = []
        self.after_commit: list[Callable[[], None]] = []
        self.ended = asyncio.Event()

    def report(self, done: asyncio.Future[None] | None = None) -> None:
        """Tell those who asked, unless the commit failed."""
        if done is None or done.exception() is None:
            for call in self.after_commit:
                call()

    def is_stuck_behind(self, other: Transaction) -> bool:
        """Whether this cannot end before the other does."""
        return self is other or any(owner.is_stuck_behind(other) for owner in self.waits_for)


class Claims:
    """Which open transaction has written which document."""

    def __init__(self) -> None:
        self._owners: dict[Key, Transaction] = {}

    async def free(self, key: Key, transaction: Transaction | None) -> None:
        """Wait until no other transaction has written this document."""
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

    def take(self, key: Key, transaction: Transaction) -> None:
        """Let nobody but this transaction write the document."""
        self._owners[key] = transaction.root
        transaction.root.claimed.add(key)

    def release(self, transaction: Transaction) -> None:
        """Let others write what this transaction wrote."""
        for key in transaction.claimed:
            del self._owners[key]
        transaction.claimed.clear()
