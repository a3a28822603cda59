"""Terms: the texts by which values are compared for equality, and by which an index files documents.

Two scalars are equal when their terms are: `1`, `1.0` and `"1"` have one term, `true` and `"true"` have one, null has
none. So a client may write a number as text, as in Elasticsearch, where the mapping says the type; and an index of
terms finds exactly the documents that an evaluation finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from visado.storage.query.predicates import And, Equals, Ids, OneOf, Predicate

_WORD: Final = re.compile(r"\w+")


def term_of(value: Any) -> str | None:
    """Return the term of a scalar; None for null, objects and lists, which equal nothing."""
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


def terms_of(document: Mapping[str, Any], field: str) -> set[str]:
    """Return the terms under which an index must file a document, to answer `Equals` and `OneOf` on this field."""
    return {term for value in values_at(document, field.split(".")) if (term := term_of(value)) is not None}


def words_of(text: str) -> list[str]:
    """Return the words of a text, in one case."""
    return _WORD.findall(text.casefold())


def values_at(document: Mapping[str, Any], path: Sequence[str]) -> list[Any]:
    """Return the values of a field, out of all lists on its path, without nulls."""
    values: list[Any] = [document]
    for name in path:
        inner = [cast("Mapping[str, Any]", value).get(name) for value in values if isinstance(value, Mapping)]
        if not inner:
            return inner
        values = flatten(inner)
    return values


def flatten(value: Any) -> list[Any]:
    """Return the items of a list and of the lists in it, without nulls; or a list of the one value."""
    items: list[Any] = []
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list | tuple):
            waiting.extend(cast("Iterable[Any]", item))
        elif item is not None:
            items.append(item)
    return items


def necessary_conditions(where: Predicate) -> Iterator[Equals | OneOf | Ids]:
    """Yield conditions that every matching document fulfils: an index on the field of one narrows the search.

    A condition on `_id` comes as `Ids`. Look up `term_of` each value of the others, in an index of `terms_of`.
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
    return Ids(tuple(term for value in values if (term := term_of(value)) is not None))
