"""What each predicate finds; the compiled test against a naive one."""

from __future__ import annotations

import contextlib
import fnmatch
import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visado import errors
from visado.storage.query import (
    And,
    Anything,
    AtLeast,
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
    compile_predicate,
    term_of,
)

from .generated import DOCUMENTS, FIELDS, PREDICATES, TEXTS

ALICE = {
    "name": "Alice Martin",
    "age": 31,
    "score": 1.0,
    "ratio": 1.5,
    "admin": True,
    "nothing": None,
    "empty": [],
    "nulls": [None],
    "object": {},
    "profileIds": ["default", "team-a"],
    "deep": [[["x"]]],
    "policies": [{"roleId": "reader"}, {"roleId": "writer", "restrictedTo": [{"index": "i1"}]}],
    "_kuzzle_info": {"author": "root", "createdAt": 1795378298317},
    "huge": 10**400,
}

FOUND = [
    Anything(),
    Equals("name", "Alice Martin"),
    Equals("_id", "alice"),
    Equals("age", 31),
    Equals("age", 31.0),
    Equals("age", "31"),
    Equals("score", 1),
    Equals("score", "1"),
    Equals("ratio", "1.5"),
    Equals("admin", True),
    Equals("admin", "true"),
    Equals("profileIds", "team-a"),
    Equals("deep", "x"),
    Equals("policies.roleId", "writer"),
    Equals("policies.restrictedTo.index", "i1"),
    Equals("_kuzzle_info.author", "root"),
    Equals("huge", 10**400),
    OneOf("profileIds", ("other", "default")),
    OneOf("age", ("30", "31")),
    OneOf("_id", ("bob", "alice")),
    Ids(("bob", "alice")),
    Exists("name"),
    Exists("_id"),
    Exists("admin"),
    Exists("_kuzzle_info"),
    Exists("policies.restrictedTo"),
    Range("age", gte=31, lte=31),
    Range("age", gt=30.5),
    Range("age", gte="18", lt="31.5"),
    Range("age"),
    Range("name", gte="Alice", lt="B"),
    Range("_kuzzle_info.createdAt", gt=0),
    Range("huge", gt=1.5),
    Range("_id", gte="a", lt="b"),
    Prefix("name", "Ali"),
    Prefix("profileIds", "team"),
    Prefix("_id", "al"),
    Wildcard("name", "A*M?rt*n"),
    Wildcard("name", "*"),
    Wildcard("_id", "al?ce"),
    Regexp("name", r"e\sM"),
    Regexp("name", "^ALICE", "i"),
    Matches("name", "bob alice"),
    Matches("name", "MARTIN"),
    Matches("profileIds", "team"),
    Matches("age", "31"),
    Matches("admin", True),
    And(()),
    And((Equals("age", 31), Exists("name"))),
    Or((Equals("age", 30), Exists("name"))),
    Not(Equals("age", 30)),
    Not(Or(())),
    AtLeast(2, (Exists("name"), Exists("zip"), Exists("age"))),
    AtLeast(0, ()),
]

MISSED = [
    Equals("name", "alice martin"),
    Equals("name", "Alice"),
    Equals("_id", "bob"),
    Equals("age", True),
    Equals("age", "031"),
    Equals("score", True),
    Equals("admin", 1),
    Equals("nothing", None),
    Equals("nothing", "null"),
    Equals("zip", None),
    Equals("object", {}),
    Equals("empty", []),
    Equals("profileIds", ["default", "team-a"]),
    Equals("name.first", "Alice"),
    Equals("policies", "writer"),
    Equals("", ""),
    Equals("a..b", "x"),
    OneOf("profileIds", ()),
    OneOf("profileIds", (None, {}, [])),
    Ids(()),
    Exists("zip"),
    Exists("nothing"),
    Exists("empty"),
    Exists("nulls"),
    Exists("object"),
    Exists("name.first"),
    Range("age", gt=31),
    Range("age", lt=31),
    Range("age", gt="old"),
    Range("age", gt=1, lt="old"),
    Range("age", gt=[]),
    Range("age", gt=True),
    Range("name", gt=1),
    Range("admin", gte=0),
    Range("zip", gte=0),
    Range("profileIds", gt="e", lt="t"),
    Prefix("age", "3"),
    Prefix("name", "ali"),
    Wildcard("name", "alice*"),
    Wildcard("name", "Alice"),
    Wildcard("age", "*"),
    Regexp("name", "alice"),
    Regexp("age", "31"),
    Matches("name", "bob"),
    Matches("name", "Mart"),
    Matches("name", "!?"),
    Matches("name", None),
    Matches("age", "31 32"),
    Matches("admin", 1),
    And((Equals("age", 31), Exists("zip"))),
    Or(()),
    Not(Anything()),
    AtLeast(2, (Exists("name"), Exists("zip"))),
]


@pytest.mark.parametrize("where", FOUND, ids=repr)
def test_finds(where: Predicate):
    assert compile_predicate(where)("alice", ALICE)


@pytest.mark.parametrize("where", MISSED, ids=repr)
def test_does_not_find(where: Predicate):
    assert not compile_predicate(where)("alice", ALICE)


def test_numbers_too_long_to_write_are_compared_too():
    document = {"n": 10**5000}
    assert compile_predicate(Equals("n", 10**5000))("x", document)
    assert not compile_predicate(Equals("n", 10**5000 + 1))("x", document)


# --- against a naive evaluator ---------------------------------------------------------------------------


def naive(where: Any, id: str, document: Any) -> bool:
    match where:
        case Anything():
            return True
        case Ids(ids):
            return id in ids
        case And(parts):
            return all(naive(part, id, document) for part in parts)
        case Or(parts):
            return any(naive(part, id, document) for part in parts)
        case AtLeast(count, parts):
            return len([part for part in parts if naive(part, id, document)]) >= count
        case Not(part):
            return not naive(part, id, document)
    leaves = [id] if where.field == "_id" else walk(document, where.field.split("."))
    return any(naive_leaf(where, leaf) for leaf in leaves)


def walk(value: Any, path: list[str]) -> list[Any]:
    if isinstance(value, list):
        return [leaf for item in value for leaf in walk(item, path)]
    if not path:
        return [] if value is None else [value]
    return walk(value[path[0]], path[1:]) if isinstance(value, dict) and path[0] in value else []


def same(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    if isinstance(one, bool) or isinstance(other, bool):
        return {True: "true", False: "false"}.get(one, one) == {True: "true", False: "false"}.get(other, other)
    if isinstance(one, str) or isinstance(other, str):
        text, number = (one, other) if isinstance(one, str) else (other, one)
        return text == written(number)
    return one == other or repr(one) == repr(other) == "nan"


def written(number: Any) -> str:
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    return repr(number)


def scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def naive_equals(wanted: Any, leaf: Any) -> bool:
    if not scalar(wanted) or not scalar(leaf):
        return False
    if isinstance(wanted, bool) != isinstance(leaf, bool) and not isinstance(wanted, str) and not isinstance(leaf, str):
        return False
    return same(wanted, leaf)


def naive_leaf(where: Any, leaf: Any) -> bool:
    text = leaf if isinstance(leaf, str) else None
    match where:
        case Equals(_, value):
            return naive_equals(value, leaf)
        case OneOf(_, values):
            return any(naive_equals(value, leaf) for value in values)
        case Exists():
            return leaf != {}
        case Prefix(_, start):
            return text is not None and text.startswith(start)
        case Wildcard(_, pattern):
            return text is not None and fnmatch.fnmatchcase(text, pattern)
        case Matches(_, wanted) if text is not None:
            said = wanted if isinstance(wanted, str) else term_of(wanted) or ""
            return bool(set(re.findall(r"\w+", said.casefold())) & set(re.findall(r"\w+", text.casefold())))
        case Matches(_, wanted):
            return naive_equals(wanted, leaf)
        case Range():
            return naive_range(where, leaf)
    raise AssertionError(where)


def naive_range(where: Range, leaf: Any) -> bool:
    if not scalar(leaf) or isinstance(leaf, bool):
        return False
    for bound, holds in (
        (where.gt, lambda b: leaf > b),
        (where.gte, lambda b: leaf >= b),
        (where.lt, lambda b: leaf < b),
        (where.lte, lambda b: leaf <= b),
    ):
        if bound is None:
            continue
        if isinstance(leaf, str) != isinstance(bound, str):
            if not isinstance(bound, str) or not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?", bound):
                return False
            bound = int(bound) if re.fullmatch("[+-]?[0-9]+", bound) else float(bound)  # noqa: PLW2901
        if not scalar(bound) or isinstance(bound, bool) or not holds(bound):
            return False
    return True


@settings(max_examples=500, deadline=None)
@given(PREDICATES, TEXTS, DOCUMENTS)
def test_compiled_equals_naive(where: Predicate, id: str, document: dict[str, Any]):
    assert compile_predicate(where)(id, document) is naive(where, id, document)


@settings(max_examples=200, deadline=None)
@given(FIELDS, st.text(max_size=20), st.text(st.sampled_from("imsguyx"), max_size=3), DOCUMENTS)
def test_any_regular_expression_is_refused_or_works(field: str, pattern: str, flags: str, document: dict[str, Any]):
    with contextlib.suppress(errors.SearchRefused):
        compile_predicate(Regexp(field, pattern, flags))("id", document)


# --- speed -----------------------------------------------------------------------------------------------


def test_a_term_is_found_fast_without_an_index():
    documents = [(f"u{n}", {"name": f"user{n}", "n": n}) for n in range(100_000)]
    durations: list[float] = []
    for _ in range(3):
        start = time.perf_counter()
        test = compile_predicate(Equals("name", "user5"))
        assert [name for name, document in documents if test(name, document)] == ["u5"]
        durations.append(time.perf_counter() - start)
    assert min(durations) < 0.5
