"""The documents that the tests of a storage write, and the results of searches among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from visado.storage import Collection, Document
from visado.storage.query import (
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
    Range,
    Regexp,
    Wildcard,
)

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


TIMES = (
    "2026-03-29T01:30:00.000Z",
    "2026-03-29T02:30:00+01:00",
    "2026-10-25T02:30:00",
    "2026-02-30",
    "20260101",
    "1969-12-31T23:59:59.999999-12:00",
    "12:00",
)


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

SEARCHES: list[tuple[str, Predicate, set[str]]] = [
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
