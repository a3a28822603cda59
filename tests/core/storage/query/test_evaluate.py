"""What each predicate finds; the compiled test against a naive one; order and paging."""

from __future__ import annotations

import contextlib
import fnmatch
import re
import time
from functools import cmp_to_key
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
    Sort,
    Wildcard,
    evaluate,
)

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
    assert evaluate.compile(where)("alice", ALICE)


@pytest.mark.parametrize("where", MISSED, ids=repr)
def test_does_not_find(where: Predicate):
    assert not evaluate.compile(where)("alice", ALICE)


def test_numbers_too_long_to_write_are_compared_too():
    document = {"n": 10**5000}
    assert evaluate.compile(Equals("n", 10**5000))("x", document)
    assert not evaluate.compile(Equals("n", 10**5000 + 1))("x", document)


# --- against a naive evaluator ---------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c"])
FIELDS = st.one_of(st.just("_id"), st.lists(NAMES, min_size=1, max_size=3).map(".".join))
TEXTS = st.one_of(st.sampled_from(["", "a", "ab", "A b", "1", "1.0", "-0", "true", "é", "x" * 30]), st.text(max_size=5))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, 1e300]),
    TEXTS,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=3)
PATTERNS = st.text(st.sampled_from("ab*?1"), max_size=6)

LEAVES = st.one_of(
    st.just(Anything()),
    st.builds(Equals, FIELDS, VALUES),
    st.builds(OneOf, FIELDS, st.lists(VALUES, max_size=3).map(tuple)),
    st.builds(Ids, st.lists(TEXTS, max_size=3).map(tuple)),
    st.builds(Exists, FIELDS),
    st.builds(Range, FIELDS, VALUES, VALUES, VALUES, VALUES),
    st.builds(Prefix, FIELDS, TEXTS),
    st.builds(Wildcard, FIELDS, PATTERNS),
    st.builds(Matches, FIELDS, VALUES),
)
PREDICATES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=3).map(tuple)),
        st.builds(AtLeast, st.integers(0, 3), st.lists(inner, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)


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
            said = wanted if isinstance(wanted, str) else evaluate.term(wanted) or ""
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
    assert evaluate.compile(where)(id, document) is naive(where, id, document)


@given(FIELDS, VALUES, DOCUMENTS)
def test_an_index_of_terms_finds_what_an_evaluation_finds(field: str, value: Any, document: dict[str, Any]):
    term = evaluate.term(value)
    by_index = term is not None and term in evaluate.terms(document, field)
    if field != "_id":
        assert evaluate.compile(Equals(field, value))("x", document) is by_index


@settings(max_examples=200, deadline=None)
@given(FIELDS, st.text(max_size=20), st.text(st.sampled_from("imsguyx"), max_size=3), DOCUMENTS)
def test_any_regular_expression_is_refused_or_works(field: str, pattern: str, flags: str, document: dict[str, Any]):
    with contextlib.suppress(errors.SearchRefused):
        evaluate.compile(Regexp(field, pattern, flags))("id", document)


# --- necessary conditions --------------------------------------------------------------------------------


def test_necessary_conditions_are_those_that_all_found_documents_fulfil():
    where = And(
        (
            Equals("a", 1),
            And((OneOf("b", (1, 2)), Ids(("x",)))),
            Or((Equals("c", 1), Equals("d", 1))),
            Not(Equals("e", 1)),
            Equals("_id", 5),
            OneOf("_id", ("y", None)),
            Range("f", gt=1),
        )
    )
    found = set(evaluate.necessary(where))
    assert found == {Equals("a", 1), OneOf("b", (1, 2)), Ids(("x",)), Ids(("5",)), Ids(("y",))}


@given(PREDICATES, TEXTS, DOCUMENTS)
def test_what_is_found_fulfils_each_necessary_condition(where: Predicate, id: str, document: dict[str, Any]):
    if evaluate.compile(where)(id, document):
        assert all(evaluate.compile(part)(id, document) for part in evaluate.necessary(where))


# --- order and paging ------------------------------------------------------------------------------------

HITS = [
    ("a", {"n": 3}),
    ("b", {"n": None}),
    ("c", {"n": "text"}),
    ("d", {"n": [9, 1]}),
    ("e", {}),
    ("f", {"n": True}),
    ("g", {"n": 2.5}),
    ("h", {"n": {"x": 1}}),
]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ((), "abcdefgh"),
        ((Sort("n"),), "dfgacbeh"),
        ((Sort("n", descending=True),), "cdagfbeh"),
        ((Sort("_id", descending=True),), "hgfedcba"),
        ((Sort("zip"), Sort("_id", descending=True)), "hgfedcba"),
        ((Sort("n.x"),), "habcdefg"),
    ],
)
def test_order(sort: tuple[Sort, ...], expected: str):
    assert "".join(name for name, _ in evaluate.order(HITS, sort)) == expected


def test_order_is_stable_in_both_directions():
    hits = [("a", {"n": 1, "m": 1}), ("b", {"n": 1, "m": 2}), ("c", {"n": 0, "m": 3})]
    assert [name for name, _ in evaluate.order(hits, [Sort("n", descending=True)])] == ["a", "b", "c"]
    assert [name for name, _ in evaluate.order(hits, [Sort("n"), Sort("m", descending=True)])] == [
        "c",
        "b",
        "a",
    ]


@given(
    st.lists(DOCUMENTS, max_size=8),
    st.lists(st.builds(Sort, FIELDS, st.booleans()), max_size=3),
    st.lists(VALUES, max_size=3),
)
def test_order_and_after_never_raise_and_keep_their_hits(documents: list[Any], sort: list[Sort], values: list[Any]):
    hits = [(str(number), document) for number, document in enumerate(documents)]
    assert sorted(name for name, _ in evaluate.order(hits, sort)) == sorted(name for name, _ in hits)
    if len(values) == len(sort):
        assert all(hit in hits for hit in evaluate.after(hits, sort, values))


@given(
    st.lists(st.fixed_dictionaries({}, optional={"a": st.integers(0, 3), "b": st.sampled_from("xyz")}), max_size=12),
    st.booleans(),
    st.booleans(),
    st.integers(1, 4),
)
def test_pages_by_search_after_are_the_whole(documents: list[Any], down: bool, up: bool, size: int):
    sort = [Sort("a", descending=down), Sort("b", descending=up), Sort("_id")]
    hits = evaluate.order([(f"{number:02}", document) for number, document in enumerate(documents)], sort)
    seen: list[Any] = []
    page = hits[:size]
    while page:
        seen += page
        name, document = page[-1]
        values = [document.get("a"), document.get("b"), name]
        page = evaluate.order(evaluate.after(hits, sort, values), sort)[:size]
    assert seen == hits


def test_after_agrees_with_a_plain_comparison():
    hits = [(str(number), {"n": number % 5}) for number in range(20)]
    ordered = sorted(hits, key=cmp_to_key(lambda x, y: x[1]["n"] - y[1]["n"]))
    assert evaluate.after(ordered, [Sort("n")], [3]) == [hit for hit in ordered if hit[1]["n"] > 3]


def test_after_needs_a_value_for_each_sort():
    with pytest.raises(errors.SearchRefused, match=r"search_after has 1 value\(s\) but sort has 2\."):
        evaluate.after([], [Sort("a"), Sort("b")], [1])


# --- speed -----------------------------------------------------------------------------------------------


def test_a_term_is_found_fast_without_an_index():
    documents = [(f"u{n}", {"name": f"user{n}", "n": n}) for n in range(100_000)]
    durations: list[float] = []
    for _ in range(3):
        start = time.perf_counter()
        test = evaluate.compile(Equals("name", "user5"))
        assert [name for name, document in documents if test(name, document)] == ["u5"]
        durations.append(time.perf_counter() - start)
    assert min(durations) < 0.5
