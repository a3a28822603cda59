"""Searching credentials: by user name, DN and stable id, in few words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias, cast

from visado import Fields, Query, errors
from visado.storage.query import And, Anything, Equals, Not, OneOf, Or, Predicate, Prefix, Sort
from visado_ldap.errors import ForbiddenField

_DEEPEST: Final = 20
_FIELDS: Final = {"username": "username", "dn": "dn", "id": "_id", "kuid": "userId"}

Leaf: TypeAlias = Callable[[str, Any], Predicate]


def compile_query(query: Any, sort: Any, offset: int, limit: int) -> Query:
    """Read a search body. Raises `ForbiddenField`, `errors.SearchRefused`."""
    return Query(_where(query or {}, _DEEPEST), _sorts(sort), offset, limit)


def _where(query: Any, depth: int) -> Predicate:
    if depth == 0:
        raise errors.SearchRefused(cause="the query is nested too deeply")
    parts = [_clause(keyword, content, depth) for keyword, content in _object(query, "query").items()]
    return And(tuple(parts)) if parts else Anything()


def _clause(keyword: str, content: Any, depth: int) -> Predicate:
    if keyword == "bool":
        return _bool(_object(content, keyword), depth - 1)
    if keyword == "match_all":
        return Anything()
    leaf = _LEAVES.get(keyword)
    if leaf is None:
        raise errors.SearchRefused(cause=f"unknown query [{keyword[:100]}]")
    return And(tuple(leaf(_field(name), value) for name, value in _object(content, keyword).items()))


def _bool(content: Fields, depth: int) -> Predicate:
    parts: list[Predicate] = []
    for keyword, value in content.items():
        clauses = tuple(_where(each, depth) for each in _list(value))
        if keyword in {"filter", "must"}:
            parts += clauses
        elif keyword == "must_not":
            parts += [Not(each) for each in clauses]
        elif keyword == "should":
            parts.append(Or(clauses))
        else:
            raise errors.SearchRefused(cause=f"unknown keyword [{keyword[:100]}]")
    return And(tuple(parts)) if parts else Anything()


def _one(field: str, value: Any) -> Predicate:
    return Equals(field, _text(value))


def _several(field: str, value: Any) -> Predicate:
    return OneOf(field, tuple(_text(each) for each in _list(value)))


def _prefix(field: str, value: Any) -> Predicate:
    return Prefix(field, _text(value))


_LEAVES: Final[dict[str, Leaf]] = {"match": _one, "term": _one, "terms": _several, "prefix": _prefix}


def _text(value: Any) -> str:
    if isinstance(value, dict):
        fields = cast("Fields", value)
        value = fields.get("query", fields.get("value"))
    if not isinstance(value, str):
        raise errors.SearchRefused(cause="what is searched for is a text")
    return value


def _field(name: str) -> str:
    field = _FIELDS.get(name)
    if field is None:
        raise ForbiddenField(field=name[:100], fields=", ".join(_FIELDS))
    return field


def _sorts(sort: Any) -> tuple[Sort, ...]:
    found: list[Sort] = []
    for each in _list(sort):
        for name, order in ({each: "asc"} if isinstance(each, str) else _object(each, "sort")).items():
            how: Any = cast("Fields", order).get("order", "asc") if isinstance(order, dict) else order
            if how not in ("asc", "desc"):
                raise errors.SearchRefused(cause="the order is asc or desc")
            found.append(Sort(_field(name), how == "desc"))
    return tuple(found)


def _object(value: Any, name: str) -> Fields:
    if not isinstance(value, dict):
        raise errors.SearchRefused(cause=f"[{name}] must be an object")
    return cast("Fields", value)


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return list(cast("Iterable[Any]", value))
    return [] if value is None else [value]
