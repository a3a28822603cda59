"""Hypothesis strategies for documents and predicates, shared by the tests of this drawer."""

from __future__ import annotations

from hypothesis import strategies as st

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
    Prefix,
    Range,
    Wildcard,
)

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
