"""Search bodies: keys, order, pages, limits, and the wording of refusals on the wire."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visado import errors
from visado.search import SearchRules, body
from visado.storage.query import And, Anything, Equals, Ids, Matches, Query, Sort


def test_nothing_asked_for_finds_everything():
    for nothing in (
        None,
        {},
        {"query": None},
        {"query": {}},
        {"query": {}, "sort": None, "search_after": None},
    ):
        for lang in ("elasticsearch", "koncorde"):
            assert body.parse_search(nothing, lang=lang) == Query(limit=body.MAX_RESULTS)


def test_both_languages():
    assert body.parse_search({"query": {"term": {"a": 1}}}).where == Equals("a", 1)
    assert body.parse_search({"query": {"equals": {"a": 1}}}, lang="koncorde").where == Equals("a", 1)


@pytest.mark.parametrize("lang", ["sql", "", "Koncorde"])
def test_another_language_is_refused(lang: str):
    with pytest.raises(errors.InvalidArgument):
        body.parse_search({"query": {}}, lang=lang)


@pytest.mark.parametrize("query", ["foo", [], 1, True, False, 0, ""])
@pytest.mark.parametrize("lang", ["elasticsearch", "koncorde"])
def test_a_query_is_an_object(query: Any, lang: str):
    with pytest.raises(errors.InvalidType) as refused:
        body.parse_search({"query": query}, lang=lang)
    assert refused.value.props == ["body.query", "object"]


def test_exact_fields_match_as_a_whole():
    found = body.parse_search({"query": {"match": {"username": "a"}}}, rules=SearchRules(exact={"username"}))
    assert found.where == Equals("username", "a")
    assert body.parse_search({"query": {"match": {"username": "a"}}}).where == Matches("username", "a")


def test_a_post_filter_filters():
    found = body.parse_search(
        {"query": {"equals": {"a": 1}}, "post_filter": {"ids": {"values": ["x"]}}}, lang="koncorde"
    )
    assert found.where == And((Equals("a", 1), Ids(("x",))))


def test_what_does_not_filter_is_ignored():
    ignored = [
        "aggregations",
        "aggs",
        "collapse",
        "explain",
        "fields",
        "highlight",
        "search_timeout",
        "suggest",
    ]
    ignored += ["_name", "_source", "_source_excludes", "_source_includes"]
    asked = {key: {"x": 1} for key in ignored}
    assert body.parse_search(asked | {"size": 1, "from": 5}, limit=20) == Query(limit=20)


def test_another_key_is_refused():
    with pytest.raises(errors.InvalidSearchKey) as refused:
        body.parse_search({"script_fields": {}})
    assert refused.value.text == 'The argument "script_fields" is not allowed at this level of a search query.'


@pytest.mark.parametrize(
    "asked",
    [
        {"query": {"script": {"source": "x"}}},
        {"sort": {"_script": {"source": "x"}}},
        {"aggs": {"x": {"terms": {"script": {"source": "x"}}}}},
    ],
)
@pytest.mark.parametrize("lang", ["elasticsearch", "koncorde"])
def test_scripts_are_refused_in_the_whole_body(asked: dict[str, Any], lang: str):
    with pytest.raises(errors.InvalidQueryKeyword, match=r"script\.source"):
        body.parse_search(asked, lang=lang)


# --- pages -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "limit", "expected"),
    [(0, None, 10_000), (1, None, 9_999), (10_000, None, 0), (5, 7, 7), (0, 0, 0)],
)
def test_pages(offset: int, limit: int | None, expected: int):
    found = body.parse_search({}, offset=offset, limit=limit)
    assert (found.offset, found.limit) == (offset, expected)


@pytest.mark.parametrize(
    ("offset", "limit", "cause"),
    [
        (0, -1, "[size] parameter cannot be negative, found [-1]"),
        (-1, 10, "[from] parameter cannot be negative but was [-1]"),
        (
            1,
            10_000,
            "Result window is too large, from + size must be less than or equal to: [10000] but was [10001]",
        ),
        (
            10**12,
            None,
            f"Result window is too large, from + size must be less than or equal to: [10000] but was [{10**12}]",
        ),
    ],
)
def test_impossible_pages(offset: int, limit: int | None, cause: str):
    with pytest.raises(errors.SearchRefused) as refused:
        body.parse_search({}, offset=offset, limit=limit)
    assert refused.value.text == cause


@pytest.mark.parametrize("limit", [10_001, 10**30])
def test_too_large_a_page(limit: int):
    with pytest.raises(errors.GetLimitExceeded) as refused:
        body.parse_search({}, limit=limit)
    assert (refused.value.status, refused.value.props) == (413, [])


# --- order -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (None, ()),
        ([], ()),
        ({}, ()),
        ("a", (Sort("a"),)),
        ({"a": "asc"}, (Sort("a"),)),
        ({"a": "DESC"}, (Sort("a", descending=True),)),
        (
            {"a": {"order": "desc", "missing": "_last", "unmapped_type": "long"}},
            (Sort("a", descending=True),),
        ),
        ({"a": {}}, (Sort("a"),)),
        (
            ["a", {"b.c": "desc"}, {"d": {"order": "asc"}}],
            (Sort("a"), Sort("b.c", descending=True), Sort("d")),
        ),
        ({"a": "asc", "b": "desc"}, (Sort("a"), Sort("b", descending=True))),
        (["_score", "_doc"], (Sort("_score", descending=True), Sort("_doc"))),
    ],
    ids=str,
)
def test_sort(sort: Any, expected: tuple[Sort, ...]):
    assert body.parse_search({"sort": sort}).sort == expected


@pytest.mark.parametrize(
    "sort",
    [
        1,
        "",
        True,
        [1],
        [[]],
        ["a", None],
        {"a": None},
        {"a": "up"},
        {"a": 1},
        {"a": ["asc"]},
        {"a": {"order": []}},
        {"a": {"foo": 1}},
        {"a": {"missing": "_first"}},
        ["a"] * 1000,
    ],
    ids=str,
)
def test_sort_malformed(sort: Any):
    with pytest.raises(errors.SearchRefused):
        body.parse_search({"sort": sort})


def test_search_after():
    found = body.parse_search({"sort": ["a", "_id"], "search_after": [None, "x"]}, limit=5)
    assert found == Query(sort=(Sort("a"), Sort("_id")), limit=5, after=(None, "x"))


@pytest.mark.parametrize(
    ("asked", "offset", "cause"),
    [
        ({"search_after": [1]}, 0, "Sort must contain at least one field."),
        ({"sort": "a", "search_after": [1, 2]}, 0, "search_after has 2 value(s) but sort has 1."),
        ({"sort": "a", "search_after": 1}, 0, "[search_after] malformed, a list is needed"),
        ({"sort": "a", "search_after": [{}]}, 0, "[search_after] values must be texts, numbers, booleans or nulls"),
        (
            {"sort": "a", "search_after": [1]},
            5,
            "`from` parameter must be set to 0 when `search_after` is used",
        ),
    ],
)
def test_search_after_malformed(asked: dict[str, Any], offset: int, cause: str):
    with pytest.raises(errors.SearchRefused) as refused:
        body.parse_search(asked, offset=offset)
    assert refused.value.text == cause


# --- scroll ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10s", 10_000),
        ("1m", 60_000),
        ("500ms", 500),
        ("60s", 60_000),
        ("0", 0),
        (" 5S ", 5_000),
        ("3000000nanos", 3),
        ("2000micros", 2),
        ("0d", 0),
    ],
)
def test_scroll(text: str, expected: int):
    assert body.parse_scroll(text) == expected


@pytest.mark.parametrize("text", ["10m", "61s", "1h", "1d", "60001ms", "999999999999999999s"])
def test_scroll_too_long(text: str):
    with pytest.raises(errors.ScrollTooLong) as refused:
        body.parse_scroll(text)
    assert refused.value.text == f'Scroll duration "{text}" is too great.'


@pytest.mark.parametrize(
    "text", ["abc", "", "10", "-1", "-5s", "1.5s", "s", "10 s", "1y", "\u0661s", "9" * 10_000 + "s"]
)
def test_scroll_malformed(text: str):
    with pytest.raises(errors.SearchRefused) as refused:
        body.parse_scroll(text)
    assert refused.value.text == (
        f"failed to parse setting [scroll] with value [{text}] as a time value: unit is missing or unrecognized"
    )


# --- any JSON at all -------------------------------------------------------------------------------------

KEYS = ["query", "sort", "search_after", "post_filter", "size", "aggs", "foo"]
NAMES = ["term", "match", "bool", "equals", "and", "order", "a", "script", "source"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(["asc", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
    max_leaves=8,
)


@settings(max_examples=500, deadline=None)
@given(
    st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4),
    st.sampled_from(["elasticsearch", "koncorde", "x"]),
    st.integers() | st.integers(0, 20),
    st.none() | st.integers() | st.integers(0, 20),
)
def test_any_body_is_read_or_refused(asked: dict[str, Any], lang: str, offset: int, limit: int | None):
    try:
        found = body.parse_search(asked, lang=lang, offset=offset, limit=limit)
    except (errors.BadRequest, errors.GetLimitExceeded):
        pass
    else:
        assert 0 <= found.offset <= found.offset + (found.limit or 0) <= body.MAX_RESULTS
        assert found.after is None or len(found.after) == len(found.sort)


@given(st.text(max_size=12))
def test_any_scroll_is_read_or_refused(text: str):
    with contextlib.suppress(errors.SearchRefused, errors.ScrollTooLong):
        assert 0 <= body.parse_scroll(text) <= 60_000


def test_an_empty_query_is_everything():
    assert body.parse_search({"query": {"match_all": {}}}).where == Anything()
