"""Storages with one fault each: the test of the kit that finds it, and what its message says."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from visado.storage.protocol import DocumentExists
from visado.storage.query import Page
from visado.tinydb import TinyStorage

from .right import TinyContract


class TestLosesUpdates(TinyContract):
    caught_by, says = "test_updates_are_atomic", "Of many updates of one document at once, none is lost."

    class Plugin(TinyStorage):
        async def update(self, collection, id, change):
            document = change(await self.get(collection, id))
            await asyncio.sleep(0)
            return await super().update(collection, id, lambda _: document)


class TestAcceptsAnIdTwice(TinyContract):
    caught_by, says = "test_creates_an_id_once", "create() refuses an id that exists, and the first document stays"

    class Plugin(TinyStorage):
        async def create(self, collection, id, document):
            with suppress(DocumentExists):
                await super().create(collection, id, document)


class TestFoldsIds(TinyContract):
    caught_by, says = "test_returns_a_created_document", "under its exact id and in its own collection only"

    class Plugin(TinyStorage):
        async def create(self, collection, id, document):
            await super().create(collection, id.lower(), document)

        async def get(self, collection, id):
            return await super().get(collection, id.lower())


class TestStoresTheCallersObject(TinyContract):
    caught_by, says = (
        "test_copies_documents",
        "A change that the caller makes to a document after create() is not stored",
    )

    class Plugin(TinyStorage):
        async def create(self, collection, id, document):
            await super().create(collection, id, document)
            self.last = document

        async def get(self, collection, id):
            return self.last


class TestShufflesPages(TinyContract):
    caught_by, says = "test_pages", "Consecutive pages hold every match once"

    class Plugin(TinyStorage):
        async def search(self, collection, query):
            page = await super().search(collection, query)
            return Page(random.sample(page.hits, len(page.hits)), page.total)


class TestWritesAfterReturning(TinyContract):
    caught_by, says = "test_a_kill_loses_no_acknowledged_write", "A write whose call has returned is stored"

    class Plugin(TinyStorage):
        async def create(self, collection, id, document):
            self.later = [*getattr(self, "later", []), (collection, id, document)]
            if len(self.later) == 100:
                for each in self.later:
                    await super().create(*each)


class TestHasNoTransactions(TinyContract):
    caught_by, says = "test_a_transaction_that_raises_leaves_nothing", "A transaction that raises changes no document"

    class Plugin(TinyStorage):
        @asynccontextmanager
        async def transaction(self):
            yield


class TestConvertsTimes(TinyContract):
    """Converts a text that looks like a time."""

    caught_by, says = "test_times_are_numbers_and_texts", "A time is a number or a text like any other"

    class Plugin(TinyStorage):
        async def create(self, collection, id, document):
            with suppress(ValueError):
                document = {**document, "text": datetime.fromisoformat(document["text"]).astimezone().isoformat()}
            await super().create(collection, id, document)


class TestBlocksTheLoop(TinyContract):
    caught_by, says = "test_a_long_search_lets_others_work", "the event loop runs other tasks"

    class Plugin(TinyStorage):
        async def search(self, collection, query):
            time.sleep(0.1)  # noqa: ASYNC251 - the fault
            return Page([], 20_000)
