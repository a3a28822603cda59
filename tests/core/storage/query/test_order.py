"""Order, and the pages that follow a document."""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visado import errors
from visado.storage.query import Sort, hits_after, sort_hits

from .generated import DOCUMENTS, FIELDS, VALUES

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
    assert "".join(name for name, _ in sort_hits(HITS, sort)) == expected


def test_order_is_stable_in_both_directions():
    hits = [("a", {"n": 1, "m": 1}), ("b", {"n": 1, "m": 2}), ("c", {"n": 0, "m": 3})]
    assert [name for name, _ in sort_hits(hits, [Sort("n", descending=True)])] == ["a", "b", "c"]
    assert [name for name, _ in sort_hits(hits, [Sort("n"), Sort("m", descending=True)])] == [
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
    assert sorted(name for name, _ in sort_hits(hits, sort)) == sorted(name for name, _ in hits)
    if len(values) == len(sort):
        assert all(hit in hits for hit in hits_after(hits, sort, values))


@given(
    st.lists(st.fixed_dictionaries({}, optional={"a": st.integers(0, 3), "b": st.sampled_from("xyz")}), max_size=12),
    st.booleans(),
    st.booleans(),
    st.integers(1, 4),
)
def test_pages_by_search_after_are_the_whole(documents: list[Any], down: bool, up: bool, size: int):
    sort = [Sort("a", descending=down), Sort("b", descending=up), Sort("_id")]
    hits = sort_hits([(f"{number:02}", document) for number, document in enumerate(documents)], sort)
    seen: list[Any] = []
    page = hits[:size]
    while page:
        seen += page
        name, document = page[-1]
        values = [document.get("a"), document.get("b"), name]
        page = sort_hits(hits_after(hits, sort, values), sort)[:size]
    assert seen == hits


def test_after_agrees_with_a_plain_comparison():
    hits = [(str(number), {"n": number % 5}) for number in range(20)]
    ordered = sorted(hits, key=cmp_to_key(lambda x, y: x[1]["n"] - y[1]["n"]))
    assert hits_after(ordered, [Sort("n")], [3]) == [hit for hit in ordered if hit[1]["n"] > 3]


def test_after_needs_a_value_for_each_sort():
    with pytest.raises(errors.SearchRefused, match=r"search_after has 1 value\(s\) but sort has 2\."):
        hits_after([], [Sort("a"), Sort("b")], [1])
