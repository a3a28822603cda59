"""Wildcards and regular expressions: what they find, and what they may cost."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visado import errors
from visado.storage.query import Regexp, Wildcard, compile_predicate, patterns


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("*", "a\nb", True),
        ("?", "", False),
        ("?", "\n", True),
        ("a*b*c", "aXXbYYc", True),
        ("a*b*c", "abcb", False),
        ("*ab", "aab", True),
        ("a.c", "abc", False),
        (r"a\*c", "a*c", True),
        (r"a\*c", "abc", False),
        (r"a\?", "a?", True),
        ("a\\\\b", "a\\b", True),
        ("a\\", "a\\", True),
        ("[a]{2}", "[a]{2}", True),
        ("**a**", "bab", True),
    ],
)
def test_wildcard(pattern: str, text: str, found: bool):
    assert (patterns.wildcard(pattern).search(text) is not None) is found


def glob(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return glob(pattern[1:], text) or (bool(text) and glob(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and glob(pattern[1:], text[1:])


@given(st.text(st.sampled_from("ab*?"), max_size=7), st.text(st.sampled_from("ab\n"), max_size=7))
def test_wildcard_equals_a_naive_one(pattern: str, text: str):
    assert (patterns.wildcard(pattern).search(text) is not None) is glob(pattern, text)


def test_wildcards_never_backtrack_for_long():
    test = compile_predicate(Wildcard("a", "*a" * 400 + "b"))
    start = time.process_time()
    assert not test("x", {"a": "a" * 10_000})
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    "pattern",
    ["(", "*", "[b-a]", "\\", r"\u00", r"\p{Foo}", "(?a)(?u)", r"\L<x>", "(?P=x)", "(" * 400 + ")" * 400],
)
def test_invalid_expressions_are_refused(pattern: str):
    with pytest.raises(errors.SearchRefused, match="invalid regular expression"):
        compile_predicate(Regexp("a", pattern))


def test_unknown_flags_are_refused():
    with pytest.raises(errors.SearchRefused, match=r"flag \[x\]"):
        compile_predicate(Regexp("a", "b", "ix"))


@pytest.mark.parametrize("flags", ["", "i", "gimsuy"])
def test_flags_of_javascript(flags: str):
    assert compile_predicate(Regexp("a", "A.B", flags))("x", {"a": "a\nb"}) is ("s" in flags)


@pytest.mark.parametrize("wildcard", [True, False])
def test_long_patterns_are_refused(wildcard: bool):
    with pytest.raises(errors.SearchRefused, match="longer"):
        compile_predicate((Wildcard if wildcard else Regexp)("a", "b" * (patterns.MAX_PATTERN_LENGTH + 1)))


@pytest.mark.parametrize(
    "pattern",
    [
        "a{2000000000}",
        "a{0,2000000000}",
        "a{" + "9" * 900 + "}",
        "(?:(?:a{1000}){1000}){1000}",
        "(" * 100 + "a" + "{9})" * 100,
    ],
)
def test_expressions_that_would_eat_the_memory_are_refused(pattern: str):
    with pytest.raises(errors.SearchRefused, match="repeat counts"):
        compile_predicate(Regexp("a", pattern))


def test_common_counts_are_not_refused():
    uuid = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
    assert compile_predicate(Regexp("_id", uuid))("04227ed6-a454-4862-a84e-4f503dcb2c59", {})


@pytest.mark.parametrize(
    ("pattern", "text"), [("(?R)", "a"), ("^(.*?,){11}P", "1," * 50_000), ("(?:a.*b){e}", "a" * 1_000_000)]
)
def test_an_expression_that_takes_too_long_refuses_the_search(pattern: str, text: str):
    test = compile_predicate(Regexp("a", pattern))
    start = time.process_time()
    with pytest.raises(errors.SearchRefused, match="the regular expression takes too long"):
        test("x", {"a": text})
    assert time.process_time() - start < 1


def test_all_expressions_of_a_search_share_one_time_budget():
    budget = patterns.TimeBudget(seconds=0.01)
    one, other = budget.search(patterns.regexp("a")), budget.search(patterns.regexp("b"))
    assert one("a")
    budget.seconds = 0
    with pytest.raises(errors.SearchRefused, match="too long"):
        other("b")
