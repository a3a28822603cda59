"""One document at a time: create, get, update, delete, and what may be kept."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from visado import errors
from visado.storage.protocol import Collection, DocumentExists, DocumentMissing, Storage
from visado.storage.query import Equals, Query
from visado_kit.storage.samples import ANN, BOB, EVE, PEOPLE, STORABLE, UNSTORABLE
from visado_kit.storage.suite import StorageSuite, on_an_open_storage, promised


class Documents(StorageSuite):
    """Documents, one by one."""

    @on_an_open_storage
    async def test_gives_back_what_was_created(self, storage: Storage) -> None:
        """A document is there at once, under its id and in its collection only."""
        await storage.create("people", "ann", ANN)
        assert await storage.get("people", "ann") == ANN
        assert await storage.get("people", "Ann") is None
        assert await storage.get("plain", "ann") is None

    @on_an_open_storage
    async def test_creates_an_id_once(self, storage: Storage) -> None:
        """A taken id is refused, and the first document stays; elsewhere, or once deleted, it is free."""
        await storage.create("people", "ann", ANN)
        with pytest.raises(DocumentExists):
            await storage.create("people", "ann", BOB)
        assert await storage.get("people", "ann") == ANN
        await storage.create("plain", "ann", BOB)
        assert await storage.delete("people", "ann")
        await storage.create("people", "ann", EVE)
        assert await storage.get("people", "ann") == EVE

    @on_an_open_storage
    async def test_updates_by_a_function(self, storage: Storage) -> None:
        """The change sees the present document, and what it makes is kept and returned."""
        await storage.create("people", "ann", ANN)
        updated = await storage.update("people", "ann", lambda present: {"was": present["name"]})
        assert updated == {"was": "Ann Lee"} == await storage.get("people", "ann")

    @on_an_open_storage
    async def test_updates_only_what_is_there(self, storage: Storage) -> None:
        """No document, no update, and the change is not asked."""
        with pytest.raises(DocumentMissing):
            await storage.update("people", "ann", lambda _: pytest.fail("asked"))
        assert await storage.get("people", "ann") is None

    @on_an_open_storage
    async def test_keeps_a_document_whose_change_raises(self, storage: Storage) -> None:
        """An error in the change comes through, and nothing is changed."""
        await storage.create("people", "ann", ANN)
        with pytest.raises(ZeroDivisionError):
            await storage.update("people", "ann", lambda _: {"x": 1 // 0})
        with pytest.raises(errors.InvalidDocument):
            await storage.update("people", "ann", lambda _: {"x": float("nan")})
        assert await storage.get("people", "ann") == ANN

    @on_an_open_storage
    async def test_deletes(self, storage: Storage) -> None:
        """Deleting says whether there was a document."""
        await storage.create("people", "ann", ANN)
        assert await storage.delete("people", "ann") is True
        assert await storage.delete("people", "ann") is False
        assert await storage.get("people", "ann") is None
        assert (await storage.search("people", Query())).total == 0

    @on_an_open_storage
    async def test_takes_any_id(self, storage: Storage) -> None:
        """Ids are told apart exactly, and mean nothing to the storage."""
        ids = ["", " ", "a", "A", "\u00e9", "e\u0301", "a/../b", "a'b\"c", "%00", "\x00", "*", "#", "x" * 500]
        for id_ in ids:
            await storage.create("plain", id_, {"is": id_})
        for id_ in ids:
            assert await storage.get("plain", id_) == {"is": id_}
        assert (await storage.search("plain", Query())).total == len(ids)

    @promised
    @pytest.mark.parametrize("name", STORABLE)
    def test_keeps_any_json(self, tmp_path: Path, name: str) -> None:
        """What JSON can say comes back as it was, now and after a restart."""
        document = STORABLE[name]

        async def main() -> None:
            async with self.opened(tmp_path / "data") as storage:
                await storage.create("plain", name, document)
                assert await storage.get("plain", name) == document
            async with self.opened(tmp_path / "data") as storage:
                assert await storage.get("plain", name) == document

        asyncio.run(main())

    @promised
    @pytest.mark.parametrize("name", UNSTORABLE)
    def test_refuses_what_is_no_json(self, tmp_path: Path, name: str) -> None:
        """What JSON cannot say is refused before anything is changed, and what follows is kept."""

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

    @on_an_open_storage
    async def test_refuses_an_id_that_is_no_text(self, storage: Storage) -> None:
        """An id that no encoding can write is refused like a document."""
        with pytest.raises(errors.InvalidDocument):
            await storage.create("plain", "\ud800", {})
        assert await storage.get("plain", "\ud800") is None

    @on_an_open_storage
    async def test_keeps_no_object_of_the_caller(self, storage: Storage) -> None:
        """What the caller does to a document afterwards changes nothing."""
        document: dict[str, Any] = {"list": [1], "object": {"a": 1}}
        await storage.create("plain", "a", document)
        document["list"].append(2)
        document["object"]["a"] = 2
        assert await storage.get("plain", "a") == {"list": [1], "object": {"a": 1}}

    @promised
    def test_takes_a_declaration_while_it_is_open(self, tmp_path: Path) -> None:
        """A collection that is declared late is like any other, and is there again after a restart."""

        async def main() -> None:
            for before in (0, 1):
                async with self.opened(tmp_path / "data") as storage:
                    storage.declare(Collection("late", ("team",)))
                    assert (await storage.search("late", Query(Equals("team", "red")))).total == before
                    await storage.create("late", str(before), ANN)
                    assert (await storage.search("late", Query(Equals("team", "red")))).total == before + 1

        asyncio.run(main())

    @promised
    def test_takes_a_declaration_twice(self, tmp_path: Path) -> None:
        """Once more with the same words does no harm."""
        storage = self.make(tmp_path / "data")
        storage.declare(PEOPLE)
        storage.declare(Collection(PEOPLE.name, PEOPLE.indexes))
