"""What every storage must do, as tests to subclass.

    class TestMyStorage(StorageContract):
        def make(self, folder: Path) -> Storage:
            return MyStorage(f"sqlite:{folder}/visado.db")

Two storages made from one folder hold the same documents, one after the other: a storage that keeps them
elsewhere derives a database or a schema from the folder's name.
"""

from __future__ import annotations

import asyncio
import os
import signal
import warnings
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest

from visado import errors
from visado.query import (
    And,
    Anything,
    Equals,
    Exists,
    Ids,
    Matches,
    Not,
    OneOf,
    Or,
    Predicate,
    Prefix,
    Query,
    Range,
    Regexp,
    Sort,
    Wildcard,
)
from visado.storage import Collection, Document, DocumentExists, DocumentMissing, Storage

PEOPLE = Collection("people", ("team", "tags", "address.city", "age"))
PLAIN = Collection("plain")

ANN: Document = {"name": "Ann Lee", "team": "red", "tags": ["a", "b"], "age": 31, "address": {"city": "Oslo"}}
BOB: Document = {"name": "Bob", "team": "blue", "tags": ["b"], "age": 9, "address": {"city": "Rome"}}
EVE: Document = {"name": "Eve", "team": "red", "tags": [], "age": 31.5, "nothing": None, "admin": True}

STORABLE: dict[str, Document] = {
    "empty": {},
    "scalars": {"text": "", "int": -(2**63), "float": 0.1, "yes": True, "no": False, "null": None},
    "unicode": {"\u00e9\u6f22\U0001f511": "\x00\x1f\x7f\u2028\r\n\ufeff\uffff'\"\\"},
    "keys": {"": 1, "_id": "other", "$where": 2, "a.b": 3, "__proto__": {}},
    "nested": {"a": {"b": [[], {}, [{"c": [None]}]]}},
    "long": {"text": "x" * 200_000, "list": list(range(10_000))},
}


def _endless() -> Document:
    document: dict[str, Any] = {}
    document["self"] = [document]
    return document


def _deep() -> Document:
    document: dict[str, Any] = {}
    for _ in range(100_000):
        document = {"in": document}
    return document


UNSTORABLE: dict[str, Callable[[], Any]] = {
    "NaN": lambda: {"x": float("nan")},
    "infinity": lambda: {"x": [float("-inf")]},
    "set": lambda: {"x": {1, 2}},
    "bytes": lambda: {"x": b"x"},
    "object": lambda: {"x": object()},
    "lone surrogate": lambda: {"x": "\ud800"},
    "lone surrogate as key": lambda: {"\udfff": 1},
    "number as key": lambda: {"x": {1: 2}},
    "null as key": lambda: {None: 1},
    "endless": _endless,
    "very deep": _deep,
    "no object": lambda: [1],
}

FINDS: list[tuple[str, Predicate, set[str]]] = [
    ("anything", Anything(), {"ann", "bob", "eve"}),
    ("equals", Equals("team", "red"), {"ann", "eve"}),
    ("equals, not indexed", Equals("name", "Bob"), {"bob"}),
    ("equals nothing", Equals("team", "green"), set()),
    ("equals no field", Equals("absent", "red"), set()),
    ("an item of a list", Equals("tags", "b"), {"ann", "bob"}),
    ("inside an object", Equals("address.city", "Oslo"), {"ann"}),
    ("a number", Equals("age", 31), {"ann"}),
    ("the id", Equals("_id", "eve"), {"eve"}),
    ("one of", OneOf("team", ("blue", "green")), {"bob"}),
    ("one of none", OneOf("team", ()), set()),
    ("one of, by items", OneOf("tags", ("a", "b")), {"ann", "bob"}),
    ("ids", Ids(("bob", "nobody", "bob")), {"bob"}),
    ("exists", Exists("address"), {"ann", "bob"}),
    ("exists, but null", Exists("nothing"), set()),
    ("range", Range("age", gt=9, lte=31.5), {"ann", "eve"}),
    ("prefix", Prefix("name", "Ann"), {"ann"}),
    ("wildcard", Wildcard("name", "?o*"), {"bob"}),
    ("regexp", Regexp("name", "^E.e$"), {"eve"}),
    ("matches a word", Matches("name", "lee"), {"ann"}),
    ("and, indexed", And((Equals("team", "red"), Range("age", gt=31))), {"eve"}),
    ("and, both indexed", And((Equals("team", "red"), Equals("tags", "b"))), {"ann"}),
    ("and of nothing", And(()), {"ann", "bob", "eve"}),
    ("or", Or((Equals("team", "blue"), Prefix("name", "Eve"))), {"bob", "eve"}),
    ("not", Not(Equals("team", "red")), {"bob"}),
]

_Test = Callable[[Any, Storage], Coroutine[Any, Any, None]]


def _opened(test: _Test) -> Callable[[StorageContract, Path], None]:
    """Run a test on an open storage in a new folder."""

    def run(self: StorageContract, tmp_path: Path) -> None:
        async def main() -> None:
            async with self.opened(tmp_path / "data") as storage:
                await test(self, storage)

        asyncio.run(main())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


class StorageContract(ABC):
    """The suite: subclass it under a name that begins with `Test`, and say how to make the storage."""

    writers: ClassVar[int] = 64
    writes: ClassVar[int] = 500
    readers: ClassVar[int] = 8

    @abstractmethod
    def make(self, folder: Path) -> Storage:
        """Make a storage of this folder, not yet open."""

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncGenerator[Storage, None]:
        """A storage of this folder, open for the block, with the collections of the suite."""
        storage = self.make(folder)
        storage.declare(PEOPLE)
        storage.declare(PLAIN)
        await storage.open()
        try:
            yield storage
        finally:
            await storage.close()

    # Documents, one by one

    @_opened
    async def test_gives_back_what_was_created(self, storage: Storage) -> None:
        """A document is there at once, under its id and in its collection only."""
        await storage.create("people", "ann", ANN)
        assert await storage.get("people", "ann") == ANN
        assert await storage.get("people", "Ann") is None
        assert await storage.get("plain", "ann") is None

    @_opened
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

    @_opened
    async def test_updates_by_a_function(self, storage: Storage) -> None:
        """The change sees the present document, and what it makes is kept and returned."""
        await storage.create("people", "ann", ANN)
        updated = await storage.update("people", "ann", lambda present: {"was": present["name"]})
        assert updated == {"was": "Ann Lee"} == await storage.get("people", "ann")

    @_opened
    async def test_updates_only_what_is_there(self, storage: Storage) -> None:
        """No document, no update, and the change is not asked."""
        with pytest.raises(DocumentMissing):
            await storage.update("people", "ann", lambda _: pytest.fail("asked"))
        assert await storage.get("people", "ann") is None

    @_opened
    async def test_keeps_a_document_whose_change_raises(self, storage: Storage) -> None:
        """An error in the change comes through, and nothing is changed."""
        await storage.create("people", "ann", ANN)
        with pytest.raises(ZeroDivisionError):
            await storage.update("people", "ann", lambda _: {"x": 1 // 0})
        with pytest.raises(errors.InvalidDocument):
            await storage.update("people", "ann", lambda _: {"x": float("nan")})
        assert await storage.get("people", "ann") == ANN

    @_opened
    async def test_deletes(self, storage: Storage) -> None:
        """Deleting says whether there was a document."""
        await storage.create("people", "ann", ANN)
        assert await storage.delete("people", "ann") is True
        assert await storage.delete("people", "ann") is False
        assert await storage.get("people", "ann") is None
        assert (await storage.search("people", Query())).total == 0

    @_opened
    async def test_takes_any_id(self, storage: Storage) -> None:
        """Ids are told apart exactly, and mean nothing to the storage."""
        ids = ["", " ", "a", "A", "\u00e9", "e\u0301", "a/../b", "a'b\"c", "%00", "\x00", "*", "#", "x" * 500]
        for id_ in ids:
            await storage.create("plain", id_, {"is": id_})
        for id_ in ids:
            assert await storage.get("plain", id_) == {"is": id_}
        assert (await storage.search("plain", Query())).total == len(ids)

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

    @_opened
    async def test_refuses_an_id_that_is_no_text(self, storage: Storage) -> None:
        """An id that no encoding can write is refused like a document."""
        with pytest.raises(errors.InvalidDocument):
            await storage.create("plain", "\ud800", {})
        assert await storage.get("plain", "\ud800") is None

    @_opened
    async def test_keeps_no_object_of_the_caller(self, storage: Storage) -> None:
        """What the caller does to a document afterwards changes nothing."""
        document: dict[str, Any] = {"list": [1], "object": {"a": 1}}
        await storage.create("plain", "a", document)
        document["list"].append(2)
        document["object"]["a"] = 2
        assert await storage.get("plain", "a") == {"list": [1], "object": {"a": 1}}

    def test_takes_a_declaration_twice(self, tmp_path: Path) -> None:
        """Once more with the same words does no harm."""
        storage = self.make(tmp_path / "data")
        storage.declare(PEOPLE)
        storage.declare(Collection(PEOPLE.name, PEOPLE.indexes))

    # Many at once

    @_opened
    async def test_updates_are_atomic(self, storage: Storage) -> None:
        """Of many increments at once, none is lost."""
        await storage.create("plain", "counter", {"n": 0})

        async def increment() -> None:
            for _ in range(10):
                await storage.update("plain", "counter", lambda present: {"n": present["n"] + 1})

        await asyncio.gather(*(increment() for _ in range(20)))
        assert await storage.get("plain", "counter") == {"n": 200}

    @_opened
    async def test_one_of_many_wins(self, storage: Storage) -> None:
        """Of many that take the same thing, or the same id, exactly one gets it."""
        await storage.create("plain", "seat", {"by": None})

        async def take(who: int) -> bool:
            def change(present: Document) -> Document:
                return present if present["by"] is not None else {"by": who}

            return await storage.update("plain", "seat", change) == {"by": who}

        async def create(who: int) -> bool:
            with suppress(DocumentExists):
                await storage.create("plain", "id", {"by": who})
                return True
            return False

        assert sum(await asyncio.gather(*(take(who) for who in range(50)))) == 1
        assert sum(await asyncio.gather(*(create(who) for who in range(50)))) == 1

    @_opened
    async def test_many_writers_and_readers(self, storage: Storage) -> None:
        """Nothing is lost, nothing fails, and no reader sees half of a transaction."""
        written: list[str] = []

        async def write(writer: int) -> None:
            for number in range(self.writes):
                id_ = f"{writer}-{number}"
                async with storage.transaction():
                    await storage.create("people", id_, {"team": str(writer), "n": number})
                    await storage.create("plain", id_, {"of": id_})
                written.append(id_)

        async def read(reader: int) -> None:
            while len(written) < self.writers * self.writes:
                page = await storage.search("people", Query(Equals("team", str(reader)), limit=10))
                for id_, _ in page.hits:
                    assert await storage.get("plain", id_) == {"of": id_}
                await asyncio.sleep(0.01)

        await asyncio.gather(*map(write, range(self.writers)), *map(read, range(self.readers)))
        assert (await storage.search("people", Query(limit=0))).total == self.writers * self.writes
        assert (await storage.search("plain", Query(limit=0))).total == self.writers * self.writes

    # Searching

    @pytest.mark.parametrize(("where", "found"), [find[1:] for find in FINDS], ids=[find[0] for find in FINDS])
    def test_finds(self, tmp_path: Path, where: Predicate, found: set[str]) -> None:
        """Every predicate finds what it says, with an index and without."""

        async def main() -> None:
            async with self.opened(tmp_path / "data") as storage:
                for collection in ("people", "plain"):
                    for id_, document in (("ann", ANN), ("bob", BOB), ("eve", EVE)):
                        await storage.create(collection, id_, document)
                    page = await storage.search(collection, Query(where))
                    assert {id_ for id_, _ in page.hits} == found
                    assert page.total == len(found) == len(page.hits)

        asyncio.run(main())

    @_opened
    async def test_an_index_follows_updates(self, storage: Storage) -> None:
        """After an update or a deletion, a document is found by what it holds now, and by that alone."""

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

    @_opened
    async def test_pages(self, storage: Storage) -> None:
        """Pages follow each other without gap or repetition, and the total is that of all of them."""
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

    @_opened
    async def test_sorts(self, storage: Storage) -> None:
        """By several keys, up and down; documents without the key come last either way."""
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

    @_opened
    async def test_goes_on_after_a_document(self, storage: Storage) -> None:
        """With `after`, a page begins behind the sort values of the last; the total does not change."""
        for number in range(10):
            await storage.create("people", str(number), {"n": number // 2})
        sort = (Sort("n", descending=True), Sort("_id"))
        page = await storage.search("people", Query(sort=sort, limit=4, after=(3, "6")))
        assert [id_ for id_, _ in page.hits] == ["7", "4", "5", "2"]
        assert page.total == 10

    @_opened
    async def test_a_long_search_lets_others_work(self, storage: Storage) -> None:
        """While many documents are looked through and sorted, the event loop goes on, and so do writers."""
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

    # Transactions

    @_opened
    async def test_a_transaction_is_kept_as_a_whole(self, storage: Storage) -> None:
        """Inside, its own writes are seen; outside, nothing of them before the end, and then everything."""
        await storage.create("people", "bob", BOB)

        async def outside() -> list[str]:
            return sorted(id_ for id_, _ in (await storage.search("people", Query(Exists("name")))).hits)

        inside, looked = asyncio.Event(), asyncio.Event()

        async def look() -> None:
            await inside.wait()
            assert await outside() == ["bob"]
            assert await storage.get("people", "ann") is None
            looked.set()

        other = asyncio.create_task(look())
        async with storage.transaction():
            await storage.create("people", "ann", ANN)
            await storage.delete("people", "bob")
            await storage.create("people", "eve", {})
            await storage.update("people", "eve", lambda _: EVE)
            assert await storage.get("people", "bob") is None
            assert await outside() == ["ann", "eve"]
            red = await storage.search("people", Query(Equals("team", "red"), (Sort("name"),), limit=1))
            assert (red.total, red.hits) == (2, [("ann", ANN)])
            assert (await storage.search("people", Query())).total == 2
            with pytest.raises(DocumentExists):
                await storage.create("people", "ann", {})
            inside.set()
            await asyncio.wait_for(looked.wait(), 10)
        await other
        assert await outside() == ["ann", "eve"]

    @_opened
    async def test_a_transaction_that_raises_leaves_nothing(self, storage: Storage) -> None:
        """Everything is as before, for indexes too, and what follows works."""
        await storage.create("people", "bob", BOB)
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what is tested
            async with storage.transaction():
                await storage.create("people", "ann", ANN)
                await storage.update("people", "bob", lambda _: {"team": "red"})
                raise ZeroDivisionError
        assert await storage.get("people", "ann") is None
        assert (await storage.search("people", Query(Equals("team", "blue")))).hits == [("bob", BOB)]
        assert (await storage.search("people", Query(Equals("team", "red")))).total == 0
        await storage.create("people", "ann", ANN)

    @_opened
    async def test_a_cancelled_transaction_leaves_nothing(self, storage: Storage) -> None:
        """A task that is cancelled inside has written nothing, and holds nothing."""
        written = asyncio.Event()

        async def write() -> None:
            async with storage.transaction():
                await storage.create("people", "ann", ANN)
                written.set()
                await asyncio.sleep(60)

        task = asyncio.create_task(write())
        await written.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await storage.get("people", "ann") is None
        await asyncio.wait_for(storage.create("people", "ann", EVE), 10)

    @_opened
    async def test_transactions_nest(self, storage: Storage) -> None:
        """An inner block that raises leaves nothing; the outer one decides about the rest."""
        async with storage.transaction():
            await storage.create("plain", "a", {})
            with suppress(ZeroDivisionError):
                async with storage.transaction():
                    await storage.create("plain", "b", {})
                    await storage.delete("plain", "a")
                    raise ZeroDivisionError
            async with storage.transaction():
                await storage.create("plain", "c", {})
        with suppress(ZeroDivisionError):
            async with storage.transaction():
                async with storage.transaction():
                    await storage.create("plain", "d", {})
                raise ZeroDivisionError
        assert sorted(id_ for id_, _ in (await storage.search("plain", Query())).hits) == ["a", "c"]

    @_opened
    async def test_transactions_wait_for_each_other(self, storage: Storage) -> None:
        """Transactions, and single writes, that change one document come one after the other."""
        await storage.create("plain", "counter", {"n": 0})

        async def increment(*, whole: bool) -> None:
            if not whole:
                await storage.update("plain", "counter", lambda present: {"n": present["n"] + 1})
                return
            async with storage.transaction():
                await storage.update("plain", "counter", lambda present: {"n": present["n"] + 1})
                await asyncio.sleep(0.001)
                await storage.update("plain", "counter", lambda present: {"n": present["n"] + 1})

        await asyncio.wait_for(asyncio.gather(*(increment(whole=n % 2 == 0) for n in range(20))), 60)
        assert await storage.get("plain", "counter") == {"n": 30}

    @_opened
    async def test_transactions_do_not_hang(self, storage: Storage) -> None:
        """Of two that wait for each other, one may be refused; the other is kept as a whole."""
        for id_ in "ab":
            await storage.create("plain", id_, {"by": ""})

        async def write(who: str, order: str) -> None:
            async with storage.transaction():
                for id_ in order:
                    await storage.update("plain", id_, lambda _: {"by": who})
                    await asyncio.sleep(0.01)

        both = asyncio.gather(write("x", "ab"), write("y", "ba"), return_exceptions=True)
        ended = await asyncio.wait_for(both, 30)
        assert None in ended
        assert all(error is None or isinstance(error, errors.StorageUnavailable) for error in ended)
        assert await storage.get("plain", "a") == await storage.get("plain", "b") != {"by": ""}

    # Durability

    def test_keeps_everything_over_a_restart(self, tmp_path: Path) -> None:
        """What was acknowledged is there again, is found by the indexes again, and can be changed."""

        async def main() -> None:
            async with self.opened(tmp_path / "data") as storage:
                for id_, document in (("ann", ANN), ("bob", BOB), ("eve", EVE)):
                    await storage.create("people", id_, document)
                await storage.update("people", "bob", lambda present: {**present, "team": "red"})
                await storage.delete("people", "eve")
                async with storage.transaction():
                    await storage.create("plain", "ann", {})
            for _ in range(2):
                async with self.opened(tmp_path / "data") as storage:
                    page = await storage.search("people", Query(Equals("team", "red"), (Sort("_id"),)))
                    assert page.hits == [("ann", ANN), ("bob", {**BOB, "team": "red"})]
                    assert await storage.get("people", "eve") is None
                    assert await storage.get("plain", "ann") == {}
            async with self.opened(tmp_path / "data") as storage:
                await storage.create("people", "eve", EVE)

        asyncio.run(main())

    def test_a_kill_inside_a_transaction_leaves_nothing(self, tmp_path: Path) -> None:
        """A process killed inside has kept what was acknowledged before, and nothing of the transaction."""

        async def write() -> None:
            async with self.opened(tmp_path / "data") as storage:
                await storage.create("plain", "before", {})
                async with storage.transaction():
                    await storage.create("plain", "inside", {})
                    await storage.delete("plain", "before")
                    os.kill(os.getpid(), signal.SIGKILL)

        async def read() -> list[str]:
            async with self.opened(tmp_path / "data") as storage:
                return [id_ for id_, _ in (await storage.search("plain", Query())).hits]

        _in_child(write)
        assert asyncio.run(read()) == ["before"]

    @_opened
    async def test_checks_itself(self, storage: Storage) -> None:
        """A storage that works says so, and keeps no trace of the question."""
        await storage.check()
        assert (await storage.search("plain", Query())).total == 0

    def test_a_closed_storage_refuses(self, tmp_path: Path) -> None:
        """Before `open` and after `close`, everything is refused; closing twice does no harm."""

        async def main() -> None:
            storage = self.make(tmp_path / "data")
            storage.declare(PLAIN)
            for _ in range(2):
                with pytest.raises(errors.StorageUnavailable):
                    await storage.check()
                with pytest.raises(errors.StorageUnavailable):
                    await storage.create("plain", "a", {})
                with pytest.raises(errors.StorageUnavailable):
                    await storage.get("plain", "a")
                await storage.open()
                await storage.close()
                await storage.close()

        asyncio.run(main())


def _in_child(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run something in a process of its own, which may come to a bad end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads: the child uses none of them
        child = os.fork()
    if child == 0:
        try:
            asyncio.run(body())
        finally:
            os._exit(1)
    os.waitpid(child, 0)
