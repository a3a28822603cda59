"""The fields and words that a search may use."""

from __future__ import annotations

from typing import Any

import pytest

from visado import errors
from visado.search import SearchRules, parse_search
from visado.storage.query import And, Anything, Equals, Exists, Not, OneOf, Prefix, Query, Range, Sort

WORDS = "and bool equals exists field gt in match missing not order prefix query range should term terms value".split()


RULES = SearchRules(
    fields={"name": "_id", "age": "years"},
    sortable={"name": "_id", "user": "userId"},
    exact=frozenset({"years"}),
    words=frozenset(WORDS),
    forbidden_field=lambda name: errors.SearchRefused(cause=f"field {name}"),
    forbidden_word=lambda word: errors.SearchRefused(cause=f"word {word}"),
)


def parse(query: Any = None, *, sort: Any = None, lang: str = "elasticsearch") -> Query:
    return parse_search({"query": query, "sort": sort}, lang=lang, rules=RULES)


@pytest.mark.parametrize(
    ("lang", "query", "expected"),
    [
        ("elasticsearch", {}, Anything()),
        ("elasticsearch", {"term": {"age": 3}}, Equals("years", 3)),
        ("elasticsearch", {"match": {"name": "ann"}}, Equals("_id", "ann")),
        ("elasticsearch", {"match": {"age": {"query": "3 4"}}}, Equals("years", "3 4")),
        ("elasticsearch", {"terms": {"name": ["a", "b"]}}, OneOf("_id", ("a", "b"))),
        ("elasticsearch", {"prefix": {"name": {"value": "a"}}}, Prefix("_id", "a")),
        ("elasticsearch", {"range": {"age": {"gt": 3}}}, Range("years", gt=3)),
        ("elasticsearch", {"exists": {"field": "age"}}, Exists("years")),
        ("elasticsearch", {"bool": {"should": {"term": {"name": "a"}}}}, Equals("_id", "a")),
        (
            "koncorde",
            {"and": [{"equals": {"name": "a"}}, {"not": {"in": {"age": [1]}}}]},
            And((Equals("_id", "a"), Not(OneOf("years", (1,))))),
        ),
        ("koncorde", {"exists": "age[3]"}, Equals("years", "3")),
        ("koncorde", {"missing": "age"}, Not(Exists("years"))),
    ],
    ids=str,
)
def test_fields_have_their_names_in_the_documents(lang: str, query: Any, expected: Any):
    assert parse(query, lang=lang).where == expected


@pytest.mark.parametrize(
    ("lang", "query", "field"),
    [
        ("elasticsearch", {"term": {"hash": "x"}}, "hash"),
        ("elasticsearch", {"term": {"_id": "x"}}, "_id"),
        ("elasticsearch", {"bool": {"should": [{"term": {"name": "a"}}, {"prefix": {"hash": "x"}}]}}, "hash"),
        ("elasticsearch", {"exists": {"field": "hash"}}, "hash"),
        ("elasticsearch", {"term": {"h" * 1_000: "x"}}, "h" * 100),
        ("koncorde", {"equals": {"user": "x"}}, "user"),
        ("koncorde", {"exists": "hash[x]"}, "hash"),
        ("koncorde", {"missing": "hash"}, "hash"),
    ],
    ids=str,
)
def test_other_fields_are_refused(lang: str, query: Any, field: str):
    with pytest.raises(errors.SearchRefused) as refused:
        parse(query, lang=lang)
    assert refused.value.text == f"field {field}"


@pytest.mark.parametrize(
    ("lang", "query", "word"),
    [
        ("elasticsearch", {"wildcard": {"name": "*"}}, "wildcard"),
        ("elasticsearch", {"script": {"source": "x"}}, "script"),
        ("elasticsearch", {"ids": {"values": ["a"]}}, "ids"),
        ("elasticsearch", {"match": {"name": {"query": "a", "analyzer": "x"}}}, "analyzer"),
        ("elasticsearch", {"bool": {"must": []}}, "must"),
        ("elasticsearch", {"bool": {"should": [], "boost": 1}}, "boost"),
        ("koncorde", {"or": []}, "or"),
        ("koncorde", {"not": {"geoDistance": {}}}, "geoDistance"),
        ("koncorde", {"not": {"regexp": {"name": "a"}}}, "regexp"),
    ],
    ids=str,
)
def test_other_words_are_refused(lang: str, query: Any, word: str):
    with pytest.raises(errors.SearchRefused) as refused:
        parse(query, lang=lang)
    assert refused.value.text == f"word {word}"


def test_an_order_has_fields_of_its_own():
    assert parse(sort=["name", {"user": {"order": "desc"}}]).sort == (Sort("_id"), Sort("userId", descending=True))
    for sort, refusal in ((["age"], "field age"), ({"user": {"mode": "min"}}, "word mode")):
        with pytest.raises(errors.SearchRefused) as refused:
            parse(sort=sort)
        assert refused.value.text == refusal


def test_without_fields_for_an_order_those_of_the_query_count():
    rules = SearchRules(fields={"name": "_id"})
    assert parse_search({"sort": "name"}, rules=rules).sort == (Sort("_id"),)
    with pytest.raises(errors.SearchRefused, match=r"\[hash\] cannot be searched"):
        parse_search({"sort": "hash"}, rules=rules)


def test_a_search_without_errors_of_its_own_is_refused_as_any():
    rules = SearchRules(words=frozenset({"term"}))
    assert parse_search({"query": {"term": {"a": 1}}}, rules=rules).where == Equals("a", 1)
    with pytest.raises(errors.SearchRefused, match=r"\[terms\] is not allowed"):
        parse_search({"query": {"terms": {"a": [1]}}}, rules=rules)
