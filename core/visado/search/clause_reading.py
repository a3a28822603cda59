"""The clauses of a query, read one by one and within limits, whatever the language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Never, TypeAlias

from visado import errors
from visado.codec import is_list, is_object
from visado.request import Fields
from visado.search.rules import SearchRules
from visado.storage.query.predicates import Predicate

MAX_DEPTH: Final = 30
MAX_CLAUSES: Final = 1024
MAX_TERMS: Final = 65_536

_TUNING: Final = frozenset({"boost", "_name"})
"""Options that change the score or the name of a clause, and never which documents it finds."""


class Clauses:
    """Compiles the clauses of one query: objects of one key, the keyword that says how to read the content."""

    def __init__(self, readers: Mapping[str, Reader], rules: SearchRules) -> None:
        self.rules = rules
        self._readers = readers
        self._depth = 0
        self._count = 0

    def read(self, clause: Any) -> Predicate:
        """Compile a clause and those inside it. Raises `SearchRefused`, and the errors of the rules."""
        keyword, content = require_pair(clause, "query")
        self.rules.check_word(keyword)
        reader = self._readers.get(keyword)
        if reader is None:
            refuse(f"unknown query [{keyword}]")
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH:
            refuse(f"The nested depth of the query exceeds the maximum of [{MAX_DEPTH}]")
        if self._count > MAX_CLAUSES:
            refuse(f"The query holds more clauses than the maximum of [{MAX_CLAUSES}]")
        predicate = reader(self, keyword, content)
        self._depth -= 1
        return predicate

    def read_all(self, clauses: Any) -> list[Predicate]:
        """Compile one clause, or each of a list."""
        return [self.read(clause) for clause in (clauses if is_list(clauses) else [clauses])]

    def field(self, content: Any, keyword: str) -> tuple[str, Any]:
        """Read `{field: value}`: return the name of the field in the documents, and the value."""
        name, value = require_pair(content, keyword)
        return self.rules.field(name), value

    def options(self, content: Any, keyword: str, *names: str) -> Fields:
        """Read an object that has no other keys than `names` and the tuning ones, which are left out."""
        options = require_object(content, keyword)
        for name in options:
            self.rules.check_word(name)
            if name not in names and name not in _TUNING:
                refuse(f"[{keyword}] query does not support [{name}]")
        return without_tuning(options)


Reader: TypeAlias = Callable[[Clauses, str, Any], Predicate]
"""Compiles the content of a clause. The second argument is the keyword, for its errors."""


def refuse(cause: str) -> Never:
    """Raise `SearchRefused`."""
    raise errors.SearchRefused(cause=cause)


def without_tuning(options: Fields) -> Fields:
    """Return the options that change which documents are found."""
    return {name: value for name, value in options.items() if name not in _TUNING}


def require_object(content: Any, keyword: str) -> Fields:
    """Return the content of a clause, which must be an object."""
    if not is_object(content):
        refuse(f"[{keyword}] query malformed, an object is needed")
    return content


def require_list(content: Any, keyword: str) -> list[Any]:
    """Return the content of a clause, which must be a list of at most `MAX_TERMS` values."""
    if not is_list(content):
        refuse(f"[{keyword}] query malformed, a list is needed")
    if len(content) > MAX_TERMS:
        refuse(f"[{keyword}] query holds more values than the maximum of [{MAX_TERMS}]")
    return content


def require_pair(content: Any, keyword: str) -> tuple[str, Any]:
    """Return the key and the value of an object, which must have one key."""
    pairs = list(require_object(content, keyword).items())
    if len(pairs) != 1:
        names = " and ".join(f"[{name}]" for name, _ in pairs[:2]) or "none"
        refuse(f"[{keyword}] query malformed, one name is needed, found {names}")
    return pairs[0]


def require_scalar(value: Any, keyword: str) -> str | float | bool:
    """Return a value, which must be text, a number or a boolean."""
    if is_list(value):
        refuse(f"[{keyword}] query does not support array of values")
    if not isinstance(value, str | int | float):
        refuse(f"[{keyword}] query needs a value")
    return value


def require_text(value: Any, keyword: str) -> str:
    """Return a value, which must be text and not empty."""
    if not isinstance(value, str) or not value:
        refuse(f"[{keyword}] query needs a text")
    return value
