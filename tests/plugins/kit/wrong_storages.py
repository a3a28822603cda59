"""Storages that are wrong, each in a way of its own: which promise of the kit each breaks, and what it is told."""

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
    caught_by, says = "test_updates_are_atomic", "Of many increments at once, none is lost."

    class Plugin(TinyStorage):
        async def update(self, collection, id, change):
            document = change(await self.get(collection, id))
            await asyncio.sleep(0)
            return await super().update(collection, id, lambda _: document)


class TestTakesAnIdTwice(TinyContract):
    caught_by, says = "test_creates_an_id_once", "A taken id is refused, and the first document stays"

    class Plugin(TinyStorage):
        async def create(self, collection, id, document):
            with suppress(DocumentExists):
                await super().create(collection, id, document)


class TestFoldsIds(TinyContract):
    caught_by, says = "test_gives_back_what_was_created", "under its id and in its collection only"

    class Plugin(TinyStorage):
        async def create(self, collection, id, document):
            await super().create(collection, id.lower(), document)

        async def get(self, collection, id):
            return await super().get(collection, id.lower())


class TestKeepsTheCallersObject(TinyContract):
    caught_by, says = (
        "test_keeps_no_object_of_the_caller",
        "What the caller does to a document afterwards changes nothing",
    )

    class Plugin(TinyStorage):
        async def create(self, collection, id, document):
            await super().create(collection, id, document)
            self.last = document

        async def get(self, collection, id):
            return self.last


class TestShufflesPages(TinyContract):
    caught_by, says = "test_pages", "Pages follow each other without gap or repetition"

    class Plugin(TinyStorage):
        async def search(self, collection, query):
            found = await super().search(collection, query)
            return Page(random.sample(found.hits, len(found.hits)), found.total)


class TestWritesLater(TinyContract):
    caught_by, says = "test_a_kill_loses_nothing_that_was_acknowledged", "once its call had returned"

    class Plugin(TinyStorage):
        async def create(self, collection, id, document):
            self.later = [*getattr(self, "later", []), (collection, id, document)]
            if len(self.later) == 100:
                for each in self.later:
                    await super().create(*each)


class TestWritesHalves(TinyContract):
    caught_by, says = "test_a_transaction_that_raises_leaves_nothing", "Everything is as before"

    class Plugin(TinyStorage):
        @asynccontextmanager
        async def transaction(self):
            yield


class TestReadsTimes(TinyContract):
    """Takes a text that looks like a time for one."""

    caught_by, says = "test_moments_stay_as_they_are", "Times are numbers and texts like others"

    class Plugin(TinyStorage):
        async def create(self, collection, id, document):
            with suppress(ValueError):
                document = {**document, "text": datetime.fromisoformat(document["text"]).astimezone().isoformat()}
            await super().create(collection, id, document)


class TestBlocksOthers(TinyContract):
    caught_by, says = "test_a_long_search_lets_others_work", "the event loop goes on"

    class Plugin(TinyStorage):
        async def search(self, collection, query):
            time.sleep(0.1)  # noqa: ASYNC251 - the fault
            return Page([], 20_000)
