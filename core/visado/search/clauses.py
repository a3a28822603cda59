"""Reading a query clause by clause, within limits, whatever its language."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any, Never, TypeAlias, TypeGuard

from visado import errors
from visado.storage.query.predicates import Predicate

MAX_DEPTH = 30
MAX_CLAUSES = 1024
MAX_TERMS = 65_536

_TUNING = frozenset({"boost", "_name"})

Object: TypeAlias = Mapping[str, Any]


class Clauses:
    """Compiles the clauses of one query: objects of one key, the keyword that says how to read the content.

    `keywords` are the fields whose text is one word; there, `match` finds nothing but the whole text.
    """

    def __init__(self, readers: Mapping[str, Reader], keywords: Container[str] = ()) -> None:
        self.keywords = keywords
        self._readers = readers
        self._depth = 0
        self._count = 0

    def read(self, clause: Any) -> Predicate:
        """Compile one clause and those inside it. Raises `SearchRefused`."""
        keyword, content = single(clause, "query")
        reader = self._readers.get(keyword)
        if reader is None:
            refuse(f"unknown query [{keyword}]")
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH:
            refuse(f"The nested depth of the query exceeds the maximum of [{MAX_DEPTH}]")
        if self._count > MAX_CLAUSES:
            refuse(f"The query holds more clauses than the maximum of [{MAX_CLAUSES}]")
        found = reader(self, keyword, content)
        self._depth -= 1
        return found

    def read_all(self, clauses: Any) -> list[Predicate]:
        """Compile one clause, or each of a list."""
        return [self.read(clause) for clause in (clauses if is_list(clauses) else [clauses])]


Reader: TypeAlias = Callable[[Clauses, str, Any], Predicate]
"""Compiles the content of a keyword, which it is told for its errors."""


def is_object(value: Any) -> TypeGuard[Object]:
    """Whether it is a JSON object."""
    return isinstance(value, Mapping)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether it is a JSON list."""
    return isinstance(value, list)


def refuse(cause: str) -> Never:
    """Refuse the search."""
    raise errors.SearchRefused(cause=cause)


def object_of(content: Any, keyword: str) -> Object:
    """Demand an object."""
    if not is_object(content):
        refuse(f"[{keyword}] query malformed, an object is needed")
    return content


def list_of(content: Any, keyword: str) -> list[Any]:
    """Demand a list, not too long."""
    if not is_list(content):
        refuse(f"[{keyword}] query malformed, a list is needed")
    if len(content) > MAX_TERMS:
        refuse(f"[{keyword}] query holds more values than the maximum of [{MAX_TERMS}]")
    return content


def single(content: Any, keyword: str) -> tuple[str, Any]:
    """Demand an object of one key; return both sides."""
    found = list(object_of(content, keyword).items())
    if len(found) != 1:
        names = " and ".join(f"[{name}]" for name, _ in found[:2]) or "none"
        refuse(f"[{keyword}] query malformed, one name is needed, found {names}")
    return found[0]


def tuned(content: Any, keyword: str) -> Object:
    """Demand an object, and leave out what only tunes it."""
    return {name: value for name, value in object_of(content, keyword).items() if name not in _TUNING}


def known(content: Any, keyword: str, *names: str) -> Object:
    """Demand an object of no other keys than these."""
    options = tuned(content, keyword)
    unknown = next((name for name in options if name not in names), None)
    if unknown is not None:
        refuse(f"[{keyword}] query does not support [{unknown}]")
    return options


def scalar(value: Any, keyword: str) -> str | float | bool:
    """Demand text, a number or a boolean."""
    if is_list(value):
        refuse(f"[{keyword}] query does not support array of values")
    if not isinstance(value, str | int | float):
        refuse(f"[{keyword}] query needs a value")
    return value


def text(value: Any, keyword: str) -> str:
    """Demand text that is not empty."""
    if not isinstance(value, str) or not value:
        refuse(f"[{keyword}] query needs a text")
    return value
