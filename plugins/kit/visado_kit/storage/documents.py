"""One document at a time: create, get, update and delete it, and which documents can be stored."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from visado import errors
from visado.storage import Collection, DocumentExists, DocumentMissing, Storage
from visado.storage.query import Equals, Query
from visado_kit.storage.samples import ANN, BOB, EVE, PEOPLE, STORABLE, UNSTORABLE
from visado_kit.storage.suite import StorageSuite, promise, with_open_storage


class StorageDocuments(StorageSuite):
    """Operations on single documents."""

    @with_open_storage
    async def test_returns_a_created_document(self, storage: Storage) -> None:
        """get() returns a created document at once, under its exact id and in its own collection only."""
        await storage.create("people", "ann", ANN)
        assert await storage.get("people", "ann") == ANN
        assert await storage.get("people", "Ann") is None
        assert await storage.get("plain", "ann") is None

    @with_open_storage
    async def test_creates_an_id_once(self, storage: Storage) -> None:
        """create() refuses an id that exists, and the first document stays.

        The id is free in other collections, and again after a deletion.
        """
        await storage.create("people", "ann", ANN)
        with pytest.raises(DocumentExists):
            await storage.create("people", "ann", BOB)
        assert await storage.get("people", "ann") == ANN
        await storage.create("plain", "ann", BOB)
        assert await storage.delete("people", "ann")
        await storage.create("people", "ann", EVE)
        assert await storage.get("people", "ann") == EVE

    @with_open_storage
    async def test_updates_by_a_function(self, storage: Storage) -> None:
        """update() passes the stored document to the change, and stores and returns the result."""
        await storage.create("people", "ann", ANN)
        updated = await storage.update("people", "ann", lambda stored: {"was": stored["name"]})
        assert updated == {"was": "Ann Lee"} == await storage.get("people", "ann")

    @with_open_storage
    async def test_updates_only_existing_documents(self, storage: Storage) -> None:
        """update() raises DocumentMissing for an unknown id, without calling the change."""
        with pytest.raises(DocumentMissing):
            await storage.update("people", "ann", lambda _: pytest.fail("the change was called"))
        assert await storage.get("people", "ann") is None

    @with_open_storage
    async def test_keeps_a_document_whose_change_raises(self, storage: Storage) -> None:
        """update() raises what the change raises, and the document stays as it was."""
        await storage.create("people", "ann", ANN)
        with pytest.raises(ZeroDivisionError):
            await storage.update("people", "ann", lambda _: {"x": 1 // 0})
        with pytest.raises(errors.InvalidDocument):
            await storage.update("people", "ann", lambda _: {"x": float("nan")})
        assert await storage.get("people", "ann") == ANN

    @with_open_storage
    async def test_deletes(self, storage: Storage) -> None:
        """delete() returns whether the document existed."""
        await storage.create("people", "ann", ANN)
        assert await storage.delete("people", "ann") is True
        assert await storage.delete("people", "ann") is False
        assert await storage.get("people", "ann") is None
        assert (await storage.search("people", Query())).total == 0

    @with_open_storage
    async def test_takes_any_id(self, storage: Storage) -> None:
        """An id is any text, and ids are compared exactly."""
        ids = ["", " ", "a", "A", "\u00e9", "e\u0301", "a/../b", "a'b\"c", "%00", "\x00", "*", "#", "x" * 500]
        for id_ in ids:
            await storage.create("plain", id_, {"is": id_})
        for id_ in ids:
            assert await storage.get("plain", id_) == {"is": id_}
        assert (await storage.search("plain", Query())).total == len(ids)

    @promise
    @pytest.mark.parametrize("name", STORABLE)
    def test_stores_any_json(self, tmp_path: Path, name: str) -> None:
        """Every JSON object is returned unchanged, now and after a restart."""
        document = STORABLE[name]

        async def main() -> None:
            async with self.opened(tmp_path / "data") as storage:
                await storage.create("plain", name, document)
                assert await storage.get("plain", name) == document
            async with self.opened(tmp_path / "data") as storage:
                assert await storage.get("plain", name) == document

        asyncio.run(main())

    @promise
    @pytest.mark.parametrize("name", UNSTORABLE)
    def test_refuses_values_that_are_not_json(self, tmp_path: Path, name: str) -> None:
        """A document that JSON cannot represent raises InvalidDocument and changes nothing; later writes work."""

        async def main() -> None:
            async with self.opened(tmp_path / "data") as storage:
                await storage.create("plain", "there", {"x": 1})
                with pytest.raises(errors.InvalidDocument):
                    await storage.create("plain", "bad", UNSTORABLE[name]())
                with pytest.raises(errors.InvalidDocument):
                    await storage.update("plain", "there", lambda _: UNSTORABLE[name]())
                await storage.create("plain", "after", {"x": 2})
            async with self.opened(tmp_path / "data") as storage:
                assert dict((await storage.search("plain", Query())).hits) == {
                    "there": {"x": 1},
                    "after": {"x": 2},
                }

        asyncio.run(main())

    @with_open_storage
    async def test_refuses_an_id_that_cannot_be_encoded(self, storage: Storage) -> None:
        """An id with a lone surrogate raises InvalidDocument."""
        with pytest.raises(errors.InvalidDocument):
            await storage.create("plain", "\ud800", {})
        assert await storage.get("plain", "\ud800") is None

    @with_open_storage
    async def test_copies_documents(self, storage: Storage) -> None:
        """A change that the caller makes to a document after create() is not stored."""
        document: dict[str, Any] = {"list": [1], "object": {"a": 1}}
        await storage.create("plain", "a", document)
        document["list"].append(2)
        document["object"]["a"] = 2
        assert await storage.get("plain", "a") == {"list": [1], "object": {"a": 1}}

    @promise
    def test_takes_a_declaration_while_it_is_open(self, tmp_path: Path) -> None:
        """A collection that is declared while the storage is open works like any other, also after a restart."""

        async def main() -> None:
            for before in (0, 1):
                async with self.opened(tmp_path / "data") as storage:
                    storage.declare(Collection("late", ("team",)))
                    assert (await storage.search("late", Query(Equals("team", "red")))).total == before
                    await storage.create("late", str(before), ANN)
                    assert (await storage.search("late", Query(Equals("team", "red")))).total == before + 1

        asyncio.run(main())

    @promise
    def test_takes_a_declaration_twice(self, tmp_path: Path) -> None:
        """A second declaration that equals the first is accepted."""
        storage = self.make(tmp_path / "data")
        storage.declare(PEOPLE)
        storage.declare(Collection(PEOPLE.name, PEOPLE.indexes))
