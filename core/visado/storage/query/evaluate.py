"""What the predicate tree means: which documents it finds, in which order, and what an index may answer.

Scalars are equal when their terms are: `1`, `1.0` and `"1"` are one term, `true` and `"true"` are one, null
is none. So a number is found whether a client writes it as text or not, as in Elasticsearch where a field's
type is known, and an index of terms finds exactly what an evaluation finds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

from visado import errors
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
    Sort,
    Wildcard,
)

Document: TypeAlias = Mapping[str, Any]
Hit: TypeAlias = tuple[str, Document]
Test: TypeAlias = Callable[[str, Document], bool]

_Fits: TypeAlias = Callable[[Any], bool]
_Rank: TypeAlias = tuple[Any, ...]

_SCALARS = frozenset({str, int, float, bool})
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"[+-]?[0-9]{1,300}(?P<fraction>(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?)")


def compile(where: Predicate) -> Test:  # noqa: A001 - evaluate.compile(where) says it best
    """Make a test of documents, for one search; it may raise `SearchRefused` where patterns take too long."""
    return _compile(where, patterns.Allowance())


def _compile(where: Predicate, allowance: patterns.Allowance) -> Test:
    match where:
        case Anything():
            return lambda _id, _document: True
        case Ids(ids):
            wanted = frozenset(ids)
            return lambda name, _document: name in wanted
        case And(parts):
            return _all([_compile(part, allowance) for part in parts])
        case Or(parts):
            return _any([_compile(part, allowance) for part in parts])
        case AtLeast(count, parts):
            return _several(count, [_compile(part, allowance) for part in parts])
        case Not(part):
            test = _compile(part, allowance)
            return lambda name, document: not test(name, document)
        case _:
            return _on_field(where.field, _fits(where, allowance))


def _all(tests: Sequence[Test]) -> Test:
    def test(id: str, document: Document) -> bool:
        for part in tests:  # noqa: SIM110 - a generator costs more than the parts do
            if not part(id, document):
                return False
        return True

    return test


def _any(tests: Sequence[Test]) -> Test:
    def test(id: str, document: Document) -> bool:
        for part in tests:  # noqa: SIM110
            if part(id, document):
                return True
        return False

    return test


def _several(count: int, tests: Sequence[Test]) -> Test:
    return lambda name, document: sum(part(name, document) for part in tests) >= count


def _on_field(field: str, fits: _Fits) -> Test:
    if field == "_id":
        return lambda name, _document: fits(name)
    path = field.split(".")

    def test(_id: str, document: Document) -> bool:
        value: Any = document
        for name in path:
            if value.__class__ is not dict:
                return value is not None and any(map(fits, _at(document, path)))
            value = value.get(name)
        if value.__class__ in _SCALARS:
            return fits(value)
        return value is not None and any(map(fits, _flat(value)))

    return test


def _flat(value: Any) -> list[Any]:
    """Take values out of their lists, at any depth, and leave nulls behind."""
    found: list[Any] = []
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list | tuple):
            waiting.extend(cast("Iterable[Any]", item))
        elif item is not None:
            found.append(item)
    return found


def _at(document: Document, path: Sequence[str]) -> list[Any]:
    found: list[Any] = [document]
    for name in path:
        inner = [cast("Document", item).get(name) for item in found if isinstance(item, Mapping)]
        if not inner:
            return inner
        found = _flat(inner)
    return found


def _fits(leaf: Field, allowance: patterns.Allowance) -> _Fits:
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
            search = allowance.search(patterns.wildcard(pattern))
            return lambda value: isinstance(value, str) and search(value)
        case Regexp(_, pattern, flags):
            search = allowance.search(patterns.regexp(pattern, flags))
            return lambda value: isinstance(value, str) and search(value)


def term(value: Any) -> str | None:
    """The text by which a scalar is found; None for null, objects and lists, which nothing equals."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        try:
            return str(value)
        except ValueError:  # thousands of digits
            return hex(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return None


def terms(document: Document, field: str) -> set[str]:
    """The terms under which an index must file a document, for `Equals` and `OneOf` on this field."""
    return {found for value in _at(document, field.split(".")) if (found := term(value)) is not None}


def _equals(values: Iterable[Any]) -> _Fits:
    wanted = frozenset(found for value in values if (found := term(value)) is not None)
    return lambda value: (value if value.__class__ is str else term(value)) in wanted


def words(text: str) -> list[str]:
    """The words of a text, whatever their case."""
    return _WORD.findall(text.casefold())


def _shares_word(text: Any) -> _Fits:
    whole = term(text)
    wanted = frozenset(words(whole or ""))

    def fits(value: Any) -> bool:
        if isinstance(value, str):
            return not wanted.isdisjoint(words(value))
        return whole is not None and term(value) == whole

    return fits


def _within(bounds: Range) -> _Fits:
    in_numbers, in_texts = _between(bounds, _as_number), _between(bounds, _as_text)

    def fits(value: Any) -> bool:
        if isinstance(value, str):
            return in_texts(value)
        return isinstance(value, int | float) and not isinstance(value, bool) and in_numbers(value)

    return fits


def _between(bounds: Range, read: Callable[[Any], Any]) -> _Fits:
    """Compare with bounds of one kind; where a bound is of another kind, nothing lies between them."""
    given = (bounds.gt, bounds.gte, bounds.lt, bounds.lte)
    known = [None if bound is None else read(bound) for bound in given]
    if known.count(None) > given.count(None):
        return lambda _value: False
    gt, gte, lt, lte = known

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


def necessary(where: Predicate) -> Iterator[Equals | OneOf | Ids]:
    """Conditions that every document found must fulfil: an index on one of them narrows the search.

    A condition on `_id` comes as `Ids`. Look others up by `term` of each value, in an index of `terms`.
    """
    waiting = [where]
    while waiting:
        match waiting.pop():
            case And(parts):
                waiting.extend(parts)
            case Equals("_id", value):
                yield _as_ids((value,))
            case OneOf("_id", values):
                yield _as_ids(values)
            case Equals() | OneOf() | Ids() as condition:
                yield condition
            case _:
                pass


def _as_ids(values: Iterable[Any]) -> Ids:
    return Ids(tuple(found for value in values if (found := term(value)) is not None))


def order(hits: Iterable[Hit], sort: Sequence[Sort]) -> list[Hit]:
    """Sort, keeping the present order where the keys are equal; documents without a key come last."""
    found = list(hits)
    for key in reversed(sort):
        found.sort(key=_ranking(key), reverse=key.descending)
    return found


def after(hits: Iterable[Hit], sort: Sequence[Sort], values: Sequence[Any]) -> list[Hit]:
    """Keep what comes after the document whose sort values are given. Raises `SearchRefused`."""
    if len(values) != len(sort):
        raise errors.SearchRefused(cause=f"search_after has {len(values)} value(s) but sort has {len(sort)}.")
    steps = [
        (_ranking(key), _rank([value], descending=key.descending), key.descending)
        for key, value in zip(sort, values, strict=True)
    ]

    def follows(hit: Hit) -> bool:
        for ranking, reached, descending in steps:
            rank = ranking(hit)
            if rank != reached:
                return (rank > reached) is not descending
        return False

    return [hit for hit in hits if follows(hit)]


def _ranking(key: Sort) -> Callable[[Hit], _Rank]:
    descending = key.descending
    if key.field == "_id":
        return lambda hit: _rank([hit[0]], descending=descending)
    path = key.field.split(".")
    return lambda hit: _rank(_at(hit[1], path), descending=descending)


def _rank(values: Iterable[Any], *, descending: bool) -> _Rank:
    """Place values: numbers before text, nothing at the end; of several, the one that comes first counts."""
    ranks = [(1, isinstance(value, str), value) for value in values if isinstance(value, str | int | float)]
    if not ranks:
        return (0,) if descending else (2,)
    return max(ranks) if descending else min(ranks)
