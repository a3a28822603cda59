"""Searches: predicates, pages, order, and indexes that follow the documents."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from visado.storage import Document, Storage
from visado.storage.query import Anything, Equals, Predicate, Prefix, Query, Sort
from visado_kit.storage.samples import ANN, BOB, EVE, SEARCHES
from visado_kit.storage.suite import StorageSuite, promise, with_open_storage


class StorageSearches(StorageSuite):
    """A search returns the documents that match, in the order of its sort keys."""

    @promise
    @pytest.mark.parametrize(
        ("where", "expected"), [search[1:] for search in SEARCHES], ids=[search[0] for search in SEARCHES]
    )
    def test_finds(self, tmp_path: Path, where: Predicate, expected: set[str]) -> None:
        """Every predicate finds the documents that match it, with an index and without."""

        async def main() -> None:
            async with self.opened(tmp_path / "data") as storage:
                for collection in ("people", "plain"):
                    for id_, document in (("ann", ANN), ("bob", BOB), ("eve", EVE)):
                        await storage.create(collection, id_, document)
                    page = await storage.search(collection, Query(where))
                    assert {id_ for id_, _ in page.hits} == expected
                    assert page.total == len(expected) == len(page.hits)

        asyncio.run(main())

    @with_open_storage
    async def test_an_index_follows_updates(self, storage: Storage) -> None:
        """After an update or a deletion, a document is found by its new values, and no longer by its old ones."""

        async def by(field: str, value: object) -> list[str]:
            return sorted(id_ for id_, _ in (await storage.search("people", Query(Equals(field, value)))).hits)

        await storage.create("people", "ann", ANN)
        await storage.create("people", "eve", EVE)
        await storage.update("people", "ann", lambda _: {"team": "blue", "tags": ["b", "c", "c"]})
        assert await by("team", "red") == ["eve"]
        assert await by("team", "blue") == ["ann"]
        assert [await by("tags", tag) for tag in "abc"] == [[], ["ann"], ["ann"]]
        assert await by("address.city", "Oslo") == []
        await storage.update("people", "ann", lambda _: {})
        assert await by("team", "blue") == await by("tags", "c") == []
        await storage.delete("people", "eve")
        assert await by("team", "red") == []

    @with_open_storage
    async def test_pages(self, storage: Storage) -> None:
        """Consecutive pages hold every match once, and each has the total of all matches."""
        for number in range(25):
            await storage.create("people", f"{number:02}", {"team": "red", "n": number % 5})
        for where in (Anything(), Equals("team", "red"), Prefix("team", "r")):
            for sort in ((), (Sort("n"), Sort("_id", descending=True))):
                pages = [await storage.search("people", Query(where, sort, start, 10)) for start in (0, 10, 20, 30)]
                assert [len(page.hits) for page in pages] == [10, 10, 5, 0]
                assert {page.total for page in pages} == {25}
                whole = await storage.search("people", Query(where, sort))
                assert [hit for page in pages for hit in page.hits] == whole.hits
        assert await storage.search("people", Query(limit=0)) == await storage.search("people", Query(offset=99))

    @with_open_storage
    async def test_sorts(self, storage: Storage) -> None:
        """Several keys sort, ascending and descending; documents without the key are last in both orders."""
        documents: dict[str, Document] = {
            "a": {"team": "x", "age": 2},
            "b": {"team": "y", "age": 10},
            "c": {"team": "x", "age": 10.5},
            "d": {"team": "y"},
            "e": {"team": "x", "age": None},
        }
        for id_, document in documents.items():
            await storage.create("people", id_, document)

        async def order(*sort: Sort) -> str:
            return "".join(id_ for id_, _ in (await storage.search("people", Query(sort=sort))).hits)

        assert await order(Sort("_id")) == "abcde"
        assert await order(Sort("_id", descending=True)) == "edcba"
        assert await order(Sort("age"), Sort("_id")) == "abcde"
        assert await order(Sort("age", descending=True), Sort("_id")) == "cbade"
        assert await order(Sort("team", descending=True), Sort("age"), Sort("_id")) == "bdace"

    @with_open_storage
    async def test_continues_after_a_document(self, storage: Storage) -> None:
        """With `after`, a page starts behind these sort values; the total stays that of all matches."""
        for number in range(10):
            await storage.create("people", str(number), {"n": number // 2})
        sort = (Sort("n", descending=True), Sort("_id"))
        page = await storage.search("people", Query(sort=sort, limit=4, after=(3, "6")))
        assert [id_ for id_, _ in page.hits] == ["7", "4", "5", "2"]
        assert page.total == 10

    @with_open_storage
    async def test_a_long_search_lets_others_work(self, storage: Storage) -> None:
        """While a search filters and sorts many documents, the event loop runs other tasks, and writes are served."""
        async with storage.transaction():
            for number in range(20_000):
                await storage.create("people", str(number), {"name": f"n{-number}", "n": number})
        search = asyncio.create_task(storage.search("people", Query(Prefix("name", "n"), (Sort("n"),))))
        await asyncio.sleep(0)
        delete = asyncio.create_task(storage.delete("people", "0"))
        turns = 0
        while not search.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 5
        assert await delete
        assert (await search).total in {19_999, 20_000}
