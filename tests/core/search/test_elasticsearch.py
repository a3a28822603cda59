"""Elasticsearch's queries: what they compile to, and which are refused."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visado import errors
from visado.search import SearchRules, elasticsearch
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
)

A, B, C = Equals("a", 1), Equals("b", 2), Equals("c", 3)
QA, QB, QC = ({"term": {"a": 1}}, {"term": {"b": 2}}, {"term": {"c": 3}})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, Anything()),
        ({"match_all": {}}, Anything()),
        ({"match_all": {"boost": 2}}, Anything()),
        ({"match_none": {}}, Or(())),
        ({"match": {"a": "x y"}}, Matches("a", "x y")),
        ({"match": {"a": 1}}, Matches("a", 1)),
        ({"match": {"a": {"query": "x y"}}}, Matches("a", "x y")),
        ({"match": {"a": {"query": "x y", "operator": "OR", "fuzziness": "AUTO"}}}, Matches("a", "x y")),
        ({"match": {"a": {"query": "X y", "operator": "AND"}}}, And((Matches("a", "x"), Matches("a", "y")))),
        ({"match": {"a": {"query": "!", "operator": "and"}}}, Or(())),
        ({"match": {"a": {"query": 1, "operator": "and"}}}, Matches("a", 1)),
        ({"match": {"key": "x y"}}, Equals("key", "x y")),
        ({"match": {"_id": "x"}}, Equals("_id", "x")),
        ({"term": {"a": 1}}, A),
        ({"term": {"a": {"value": "x", "boost": 1.5, "case_insensitive": False}}}, Equals("a", "x")),
        ({"terms": {"a": [1, "x", True]}}, OneOf("a", (1, "x", True))),
        ({"terms": {"a": [], "boost": 2, "_name": "n"}}, OneOf("a", ())),
        ({"ids": {"values": ["x", 1]}}, Ids(("x", "1"))),
        ({"ids": {"values": "x", "type": "_doc"}}, Ids(("x",))),
        ({"exists": {"field": "a.b"}}, Exists("a.b")),
        ({"range": {"a": {"gt": 1, "lte": "x"}}}, Range("a", gt=1, lte="x")),
        ({"range": {"a": {"gte": 1, "lt": None, "format": "epoch_millis"}}}, Range("a", gte=1)),
        ({"range": {"a": {}}}, Range("a")),
        ({"prefix": {"a": "x"}}, Prefix("a", "x")),
        ({"prefix": {"a": {"value": 3}}}, Prefix("a", "3")),
        ({"wildcard": {"a": "x*"}}, Wildcard("a", "x*")),
        ({"wildcard": {"a": {"value": "x*"}}}, Wildcard("a", "x*")),
        ({"wildcard": {"a": {"wildcard": "x*"}}}, Wildcard("a", "x*")),
        ({"regexp": {"a": "x+"}}, Regexp("a", r"\A(?:x+)\Z")),
        ({"regexp": {"a": {"value": "x|y", "flags": "ALL"}}}, Regexp("a", r"\A(?:x|y)\Z")),
        ({"bool": {}}, Anything()),
        ({"bool": {"must": QA}}, A),
        ({"bool": {"must": [QA], "filter": QB}}, And((A, B))),
        ({"bool": {"must": [], "must_not": [QA, QB]}}, And((Not(A), Not(B)))),
        ({"bool": {"mustNot": QA}}, Not(A)),
        ({"bool": {"should": [QA, QB]}}, Or((A, B))),
        ({"bool": {"should": [QA]}}, A),
        ({"bool": {"should": []}}, Anything()),
        ({"bool": {"must_not": QA, "should": [QB, QC]}}, And((Not(A), Or((B, C))))),
        ({"bool": {"must": QA, "should": [QB, QC]}}, A),
        ({"bool": {"must": QA, "should": [QB, QC], "minimum_should_match": 1}}, And((A, Or((B, C))))),
        ({"bool": {"should": [QA, QB, QC], "minimum_should_match": 2}}, AtLeast(2, (A, B, C))),
        ({"bool": {"should": [QA, QB, QC], "minimum_should_match": "-1"}}, AtLeast(2, (A, B, C))),
        ({"bool": {"should": [QA, QB, QC], "minimum_should_match": "67%"}}, AtLeast(2, (A, B, C))),
        ({"bool": {"should": [QA, QB, QC], "minimum_should_match": "-34%"}}, AtLeast(2, (A, B, C))),
        ({"bool": {"should": [QA, QB], "minimum_should_match": 0}}, Anything()),
        ({"nested": {"path": "a", "query": QA}}, A),
        ({"constant_score": {"filter": QA, "boost": 2}}, A),
    ],
    ids=str,
)
def test_compiles(query: dict[str, Any], expected: Predicate):
    assert elasticsearch.compile_query(query, SearchRules(exact={"key"})) == expected


@pytest.mark.parametrize(
    ("query", "cause"),
    [
        ({"foo": {"a": 1}}, "unknown query [foo]"),
        ({"bool": {"must": [{"nope": {}}]}}, "unknown query [nope]"),
        ({"query_string": {"query": "x"}}, "unknown query [query_string]"),
        ({"script": {"id": "stored"}}, "unknown query [script]"),
        ({"term": {"a": [1]}}, "[term] query does not support array of values"),
        ({"term": {"a": 1, "b": 2}}, "[term] query malformed, one name is needed, found [a] and [b]"),
        ({"term": {"a": {"value": 1, "foo": 2}}}, "[term] query does not support [foo]"),
        ({"bool": {"foo": []}}, "[bool] query does not support [foo]"),
        (
            {"match": {"a": {"query": "x", "operator": "xor"}}},
            "[match] query does not support the operator [xor]",
        ),
        (
            {"prefix": {"a": {"value": "x", "case_insensitive": True}}},
            "[prefix] query does not support [case_insensitive]",
        ),
    ],
)
def test_refuses_by_name(query: dict[str, Any], cause: str):
    with pytest.raises(errors.SearchRefused) as refused:
        elasticsearch.compile_query(query)
    assert refused.value.text == cause
    assert refused.value.props == [cause]


@pytest.mark.parametrize(
    "query",
    [
        None,
        [],
        "x",
        1,
        {"term": {"a": 1}, "match": {"a": 1}},
        {"term": None},
        {"term": []},
        {"term": {}},
        {"term": {"a": None}},
        {"term": {"a": {}}},
        {"term": {"a": {"value": {}}}},
        {"terms": {"a": "x"}},
        {"terms": {"a": [[1]]}},
        {"terms": {"a": [None]}},
        {"terms": {"a": {"index": "i", "path": "p"}}},
        {"ids": {}},
        {"ids": {"values": {}}},
        {"ids": {"values": [{}]}},
        {"exists": {}},
        {"exists": {"field": ""}},
        {"exists": {"field": 1}},
        {"exists": "a"},
        {"range": {"a": 1}},
        {"range": {"a": {"gt": {}}}},
        {"range": {"a": {"from": 1}}},
        {"match": {"a": None}},
        {"match": {"a": {"operator": "and"}}},
        {"match": {"a": {"query": "x", "operator": [[]]}}},
        {"match_all": []},
        {"prefix": {"a": {}}},
        {"wildcard": {"a": ["x"]}},
        {"bool": []},
        {"bool": {"must": None}},
        {"bool": {"must": "x"}},
        {"bool": {"must": [1]}},
        {"bool": {"must": [{}]}},
        {"bool": {"should": QA, "minimum_should_match": "most"}},
        {"bool": {"should": QA, "minimum_should_match": True}},
        {"bool": {"should": QA, "minimum_should_match": 1.5}},
        {"nested": {"path": "a"}},
        {"constant_score": {}},
    ],
    ids=str,
)
def test_refuses_what_is_malformed(query: Any):
    with pytest.raises(errors.SearchRefused):
        elasticsearch.compile_query(query)


@pytest.mark.parametrize(
    ("query", "keyword"),
    [
        ({"script": {"source": "x"}}, "script.source"),
        ({"script": {"script": {"source": "x"}}}, "script.script"),
        ({"bool": {"must": [{"foo": [{"_script": {"inline": "x"}}]}]}}, "_script.inline"),
        ({"script": {"id": "x", "lang": "painless"}}, "script.lang"),
    ],
)
def test_scripts_are_refused_anywhere(query: dict[str, Any], keyword: str):
    with pytest.raises(errors.InvalidQueryKeyword) as refused:
        elasticsearch.compile_query(query)
    assert refused.value.props == [keyword]


def test_a_field_may_be_called_script():
    assert elasticsearch.compile_query({"term": {"script": "x"}}) == Equals("script", "x")


def nested(depth: int, query: Any) -> Any:
    for _ in range(depth):
        query = {"bool": {"must": [query]}}
    return query


def deep_list(depth: int) -> Any:
    found: Any = []
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize(
    "query",
    [
        nested(10_000, QA),
        {"bool": {"must": [QA] * 5000}},
        {"bool": {"must": [{"bool": {"should": [QA] * 100}}] * 100}},
        {"terms": {"a": ["x"] * 1_000_000}},
        {"ids": {"values": ["x"] * 1_000_000}},
        {"match": {"a": {"query": "x " * 100_000, "operator": "and"}}},
        {"term": {"a": deep_list(100_000)}},
        {"match": {"a": {"query": "x", "operator": deep_list(100_000)}}},
        {"bool": {"should": QA, "minimum_should_match": deep_list(100_000)}},
        {"range": {"a": {"gt": deep_list(100_000)}}},
    ],
    ids=range(10),
)
def test_hostile_sizes_are_refused(query: Any):
    with pytest.raises(errors.SearchRefused):
        elasticsearch.compile_query(query)


def test_sensible_depth_is_accepted():
    where = elasticsearch.compile_query(nested(20, QA))
    assert compile_predicate(where)("x", {"a": 1})


# --- any JSON at all -------------------------------------------------------------------------------------

KEYWORDS = [*elasticsearch.READERS, "script", "foo"]
OPTIONS = [
    "query",
    "operator",
    "value",
    "values",
    "field",
    "gt",
    "lt",
    "gte",
    "lte",
    "must",
    "should",
    "filter",
    "must_not",
    "minimum_should_match",
    "a",
    "b",
    "boost",
    "path",
    "flags",
    "source",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(["and", "50%"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(OPTIONS), inner, max_size=2)
        | st.dictionaries(st.sampled_from(KEYWORDS), inner, min_size=1, max_size=1)
    ),
    max_leaves=10,
)
QUERIES = JSON | st.dictionaries(st.sampled_from(KEYWORDS), JSON, min_size=1, max_size=1)


@settings(max_examples=500, deadline=None)
@given(QUERIES)
def test_any_json_compiles_or_is_refused(query: Any):
    with contextlib.suppress(errors.BadRequest):
        where = elasticsearch.compile_query(query)
        compile_predicate(where)("x", {"a": ["x", 1, None, {"b": True}], "b": "x"})
