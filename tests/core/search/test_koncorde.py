"""Koncorde's filters: what they compile to, which are refused, and that Elasticsearch's queries say the same."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visado import errors
from visado.search import elasticsearch, koncorde
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
    Range,
    Regexp,
    compile_predicate,
)

A, B = Equals("a", 1), Equals("b", 2)
KA, KB = ({"equals": {"a": 1}}, {"equals": {"b": 2}})


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, Anything()),
        ({"equals": {"profileIds": "admin"}}, Equals("profileIds", "admin")),
        ({"in": {"a": ["x", "y"]}}, OneOf("a", ("x", "y"))),
        ({"ids": {"values": ["x"]}}, Ids(("x",))),
        ({"range": {"a": {"gte": 1, "lt": 5}}}, Range("a", gte=1, lt=5)),
        ({"exists": "a.b"}, Exists("a.b")),
        ({"exists": {"field": "a.b"}}, Exists("a.b")),
        ({"exists": 'a.b["x y"]'}, Equals("a.b", "x y")),
        ({"exists": "a.b['x']"}, Equals("a.b", "x")),
        ({"exists": {"field": "a[x]"}}, Equals("a", "x")),
        ({"exists": "a[1]"}, Equals("a", "1")),
        ({"exists": 'a["]"]'}, Equals("a", "]")),
        ({"exists": 'a["]'}, Equals("a", '"')),
        ({"missing": "a"}, Not(Exists("a"))),
        ({"missing": {"field": "a"}}, Not(Exists("a"))),
        ({"missing": "a[x]"}, Not(Equals("a", "x"))),
        ({"and": [KA, KB]}, And((A, B))),
        ({"or": [KA, KB]}, Or((A, B))),
        ({"and": [KA]}, A),
        ({"not": KA}, Not(A)),
        ({"not": {"or": [KA, {"not": KB}]}}, Not(Or((A, Not(B))))),
        ({"bool": {"must": [KA, KB]}}, And((A, B))),
        ({"bool": {"must_not": [KA]}}, Not(A)),
        ({"bool": {"must": [KA], "should": [KA, KB]}}, And((A, Or((A, B))))),
        ({"bool": {"should_not": [KA, KB]}}, Not(And((A, B)))),
        ({"bool": {"must": KA}}, A),
        ({"regexp": {"a": "x+"}}, Regexp("a", "x+")),
        ({"regexp": {"a": {"value": "x+", "flags": "i"}}}, Regexp("a", "x+", "i")),
        ({"nothing": True}, Or(())),
        ({"match": {"a": "x"}}, Matches("a", "x")),
        ({"term": {"a": 1}}, A),
    ],
    ids=str,
)
def test_compiles(filters: dict[str, Any], expected: Predicate):
    assert koncorde.compile_query(filters) == expected


@pytest.mark.parametrize(
    ("filters", "cause"),
    [
        ({"nope": {"profileIds": "admin"}}, "unknown query [nope]"),
        ({"equals": {"a": [1]}}, "[equals] query does not support array of values"),
        (
            {"equals": {"a": 1}, "in": {"a": [1]}},
            "[query] query malformed, one name is needed, found [equals] and [in]",
        ),
    ],
)
def test_refuses_by_name(filters: dict[str, Any], cause: str):
    with pytest.raises(errors.SearchRefused) as refused:
        koncorde.compile_query(filters)
    assert refused.value.text == cause


@pytest.mark.parametrize("keyword", ["geoBoundingBox", "geoDistance", "geoDistanceRange", "geoPolygon"])
def test_places_are_refused(keyword: str):
    with pytest.raises(errors.KoncordeRestrictedKeyword) as refused:
        koncorde.compile_query({"and": [{keyword: {"a": {}}}]})
    assert refused.value.props == ["clause", keyword]


def test_scripts_are_refused():
    with pytest.raises(errors.InvalidQueryKeyword):
        koncorde.compile_query({"and": [{"script": {"source": "x"}}]})


def deep(depth: int) -> Any:
    filters: Any = KA
    for _ in range(depth):
        filters = {"not": filters}
    return filters


@pytest.mark.parametrize(
    "filters",
    [
        None,
        [],
        1,
        {"equals": None},
        {"equals": {}},
        {"equals": {"a": None}},
        {"equals": {"a": {"x": 1}}},
        {"in": {"a": "x"}},
        {"in": {"a": None}},
        {"ids": ["x"]},
        {"range": {"a": []}},
        {"exists": ""},
        {"exists": 1},
        {"exists": {}},
        {"exists": "a[x"},
        {"exists": "a[x]y"},
        {"exists": "[x]"},
        {"missing": []},
        {"and": []},
        {"or": []},
        {"and": KA},
        {"or": "x"},
        {"not": []},
        {"not": None},
        {"bool": {"must": []}},
        {"bool": {"foo": [KA]}},
        {"bool": {"must": None}},
        {"bool": []},
        {"regexp": {"a": 1}},
        {"regexp": {"a": ""}},
        {"regexp": {"a": {"flags": "i"}}},
        {"regexp": {"a": {"value": "x", "flags": 1}}},
        {"regexp": {"a": {"value": "x", "foo": 1}}},
        deep(10_000),
        {"or": [KA] * 5000},
        {"in": {"a": ["x"] * 1_000_000}},
    ],
    ids=range(36),
)
def test_refuses_what_is_malformed(filters: Any):
    with pytest.raises(errors.SearchRefused):
        koncorde.compile_query(filters)


# --- the two languages -----------------------------------------------------------------------------------

FIELD = st.sampled_from(["a", "b", "a.b"])
SCALAR = st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "x", "y", "1"])
PAIRS = st.one_of(
    st.tuples(FIELD, SCALAR).map(lambda p: ({"equals": {p[0]: p[1]}}, {"term": {p[0]: {"value": p[1]}}})),
    st.tuples(FIELD, st.lists(SCALAR, max_size=3)).map(lambda p: ({"in": {p[0]: p[1]}}, {"terms": {p[0]: p[1]}})),
    st.lists(st.sampled_from(["x", "y"])).map(lambda ids: ({"ids": {"values": ids}}, {"ids": {"values": ids}})),
    st.tuples(FIELD, SCALAR).map(lambda p: ({"range": {p[0]: {"gt": p[1]}}}, {"range": {p[0]: {"gt": p[1]}}})),
    FIELD.map(lambda field: ({"exists": field}, {"exists": {"field": field}})),
    FIELD.map(lambda field: ({"missing": field}, {"bool": {"must_not": {"exists": {"field": field}}}})),
    FIELD.map(lambda field: ({"regexp": {field: "^(?:x|1)$"}}, {"regexp": {field: "x|1"}})),
    st.just(({"nothing": {}}, {"match_none": {}})),
)


def joined(inner: Any) -> Any:
    some = st.lists(inner, min_size=1, max_size=3).map(lambda pairs: tuple(map(list, zip(*pairs, strict=True))))
    return st.one_of(
        some.map(lambda pair: ({"and": pair[0]}, {"bool": {"filter": pair[1]}})),
        some.map(lambda pair: ({"or": pair[0]}, {"bool": {"should": pair[1]}})),
        some.map(lambda pair: ({"bool": {"must_not": pair[0]}}, {"bool": {"must_not": pair[1]}})),
        some.map(
            lambda pair: (
                {"bool": {"should_not": pair[0]}},
                {"bool": {"must_not": {"bool": {"must": pair[1]}}}},
            )
        ),
        inner.map(lambda pair: ({"not": pair[0]}, {"bool": {"must_not": [pair[1]]}})),
    )


VALUE = SCALAR | st.none() | st.lists(SCALAR, max_size=2) | st.fixed_dictionaries({"b": SCALAR})
DOCUMENT = st.fixed_dictionaries({}, optional={"a": VALUE, "b": VALUE})


@settings(max_examples=300, deadline=None)
@given(st.recursive(PAIRS, joined, max_leaves=5), st.sampled_from(["x", "y", "z"]), DOCUMENT)
def test_both_languages_find_the_same(pair: tuple[Any, Any], id: str, document: dict[str, Any]):
    filters, query = pair
    one = compile_predicate(koncorde.compile_query(filters))
    other = compile_predicate(elasticsearch.compile_query(query))
    assert one(id, document) is other(id, document)


OPTIONS = [
    "a",
    "b",
    "field",
    "value",
    "values",
    "flags",
    "must",
    "must_not",
    "should",
    "should_not",
    "gt",
    "lte",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(["a[x]", "["]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(OPTIONS), inner, max_size=2)
        | st.dictionaries(st.sampled_from([*koncorde.READERS]), inner, min_size=1, max_size=1)
    ),
    max_leaves=10,
)


@settings(max_examples=500, deadline=None)
@given(JSON | st.dictionaries(st.sampled_from([*koncorde.READERS]), JSON, min_size=1, max_size=1))
def test_any_json_compiles_or_is_refused(filters: Any):
    with contextlib.suppress(errors.BadRequest):
        compile_predicate(koncorde.compile_query(filters))("x", {"a": ["x", 1, {"b": 2}], "b": None})
