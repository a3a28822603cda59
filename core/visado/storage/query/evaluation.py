"""The meaning of the predicate tree: a test of documents, compiled once for each search."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from visado.storage.query import patterns
from visado.storage.query.predicates import (
    And,
    Anything,
    AtLeast,
    Equals,
    Exists,
    Field,
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
from visado.storage.query.terms import flatten, term_of, values_at, words_of

DocumentTest: TypeAlias = Callable[[str, Mapping[str, Any]], bool]
"""Returns whether the document with this id matches."""

_ValueTest: TypeAlias = Callable[[Any], bool]

_SCALARS: Final = frozenset({str, int, float, bool})
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,300}(?P<fraction>(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?)")


def compile_predicate(where: Predicate) -> DocumentTest:
    """Compile a predicate to a test of documents, for one search.

    Raises `SearchRefused` for a pattern that is malformed or too long; so does the test when patterns take too long.
    """
    return _compile(where, patterns.TimeBudget())


def _compile(where: Predicate, budget: patterns.TimeBudget) -> DocumentTest:
    match where:
        case Anything():
            return lambda _id, _document: True
        case Ids(ids):
            wanted = frozenset(ids)
            return lambda name, _document: name in wanted
        case And(parts):
            return _all([_compile(part, budget) for part in parts])
        case Or(parts):
            return _any([_compile(part, budget) for part in parts])
        case AtLeast(count, parts):
            return _several(count, [_compile(part, budget) for part in parts])
        case Not(part):
            test = _compile(part, budget)
            return lambda name, document: not test(name, document)
        case _:
            return _on_field(where.field, _fits(where, budget))


def _all(tests: Sequence[DocumentTest]) -> DocumentTest:
    def test(id: str, document: Mapping[str, Any]) -> bool:
        for part in tests:  # noqa: SIM110 - a generator costs more than the tests do
            if not part(id, document):
                return False
        return True

    return test


def _any(tests: Sequence[DocumentTest]) -> DocumentTest:
    def test(id: str, document: Mapping[str, Any]) -> bool:
        for part in tests:  # noqa: SIM110
            if part(id, document):
                return True
        return False

    return test


def _several(count: int, tests: Sequence[DocumentTest]) -> DocumentTest:
    return lambda name, document: sum(part(name, document) for part in tests) >= count


def _on_field(field: str, fits: _ValueTest) -> DocumentTest:
    if field == "_id":
        return lambda name, _document: fits(name)
    path = field.split(".")

    def test(_id: str, document: Mapping[str, Any]) -> bool:
        value: Any = document
        for name in path:
            if value.__class__ is not dict:
                return value is not None and any(map(fits, values_at(document, path)))
            value = value.get(name)
        if value.__class__ in _SCALARS:
            return fits(value)
        return value is not None and any(map(fits, flatten(value)))

    return test


def _fits(leaf: Field, budget: patterns.TimeBudget) -> _ValueTest:
    match leaf:
        case Equals(_, value):
            return _equals((value,))
        case OneOf(_, values):
            return _equals(values)
        case Exists():
            return lambda value: value != {}
        case Range():
            return _within(leaf)
        case Prefix(_, start):
            return lambda value: isinstance(value, str) and value.startswith(start)
        case Matches(_, text):
            return _shares_word(text)
        case Wildcard(_, pattern):
            search = budget.search(patterns.wildcard(pattern))
            return lambda value: isinstance(value, str) and search(value)
        case Regexp(_, pattern, flags):
            search = budget.search(patterns.regexp(pattern, flags))
            return lambda value: isinstance(value, str) and search(value)


def _equals(values: Iterable[Any]) -> _ValueTest:
    wanted = frozenset(term for value in values if (term := term_of(value)) is not None)
    return lambda value: (value if value.__class__ is str else term_of(value)) in wanted


def _shares_word(text: Any) -> _ValueTest:
    whole = term_of(text)
    wanted = frozenset(words_of(whole or ""))

    def fits(value: Any) -> bool:
        if isinstance(value, str):
            return not wanted.isdisjoint(words_of(value))
        return whole is not None and term_of(value) == whole

    return fits


def _within(bounds: Range) -> _ValueTest:
    in_numbers, in_texts = _between(bounds, _as_number), _between(bounds, _as_text)

    def fits(value: Any) -> bool:
        if isinstance(value, str):
            return in_texts(value)
        return isinstance(value, int | float) and not isinstance(value, bool) and in_numbers(value)

    return fits


def _between(bounds: Range, read: Callable[[Any], Any]) -> _ValueTest:
    """Compare values of one kind with the bounds; if a bound is of another kind, no value lies between them."""
    given = (bounds.gt, bounds.gte, bounds.lt, bounds.lte)
    readable = [None if bound is None else read(bound) for bound in given]
    if readable.count(None) > given.count(None):
        return lambda _value: False
    gt, gte, lt, lte = readable

    def fits(value: Any) -> bool:
        return (
            (gt is None or value > gt)
            and (gte is None or value >= gte)
            and (lt is None or value < lt)
            and (lte is None or value <= lte)
        )

    return fits


def _as_text(bound: Any) -> str | None:
    return bound if isinstance(bound, str) else None


def _as_number(bound: Any) -> float | None:
    if isinstance(bound, str):
        number = _NUMBER.fullmatch(bound)
        return None if number is None else float(bound) if number["fraction"] else int(bound)
    return bound if isinstance(bound, int | float) and not isinstance(bound, bool) else None
