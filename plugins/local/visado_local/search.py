"""Searching credentials: by user name alone and in few words, lest a hash be guessed piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias, cast

from visado import Fields, Query, errors
from visado.storage.query import And, Anything, Ids, Not, Or, Predicate, Prefix, Sort
from visado_local.errors import ForbiddenField, ForbiddenKeyword

_DEEPEST: Final = 20
_SUBJECT: Final = "_id"
_SORTABLE: Final = {"username": _SUBJECT, "kuid": "userId"}
_INSIDE: Final = frozenset({"query", "value", "boost", "fuziness"})  # sic: the wire contract's spelling

Leaf: TypeAlias = Callable[[Any], Predicate]


def compile_query(query: Any, sort: Any, offset: int, limit: int) -> Query:
    """Read a search body. Raises `ForbiddenField`, `ForbiddenKeyword` and `errors.SearchRefused`."""
    return Query(_where(query or {}, _DEEPEST), _sorts(sort), offset, limit)


def _where(query: Any, depth: int) -> Predicate:
    clauses = [_clause(keyword, content, depth) for keyword, content in _object(query, "query").items()]
    return And(tuple(clauses)) if clauses else Anything()


def _clause(keyword: str, content: Any, depth: int) -> Predicate:
    if depth == 0:
        raise errors.SearchRefused(cause="the query is nested too deeply")
    if keyword == "bool":
        return _bool(_object(content, keyword), depth - 1)
    leaf = _LEAVES.get(keyword)
    if leaf is None:
        raise ForbiddenKeyword(keyword=keyword[:100])
    parts: list[Predicate] = []
    for field, value in _object(content, keyword).items():
        if field == "boost":
            continue
        if field != "username":
            raise ForbiddenField(field=field[:100])
        parts.append(leaf(value))
    return And(tuple(parts))


def _bool(content: Fields, depth: int) -> Predicate:
    parts: list[Predicate] = []
    options: list[Predicate] | None = None
    for keyword, value in content.items():
        if keyword == "boost":
            continue
        if keyword not in {"filter", "must", "must_not", "should"}:
            raise ForbiddenKeyword(keyword=keyword[:100])
        clauses = [_where(each, depth) for each in _list(value)]
        if keyword == "should":
            options = clauses
        else:
            parts += [Not(each) for each in clauses] if keyword == "must_not" else clauses
    if options and not {"filter", "must"} & content.keys():
        parts.append(Or(tuple(options)))
    return And(tuple(parts)) if parts else Anything()


def _one(value: Any) -> Predicate:
    return Ids((_inside(value),))


def _several(value: Any) -> Predicate:
    return Ids(tuple(str(each) for each in _list(value)))


def _prefix(value: Any) -> Predicate:
    return Prefix(_SUBJECT, _inside(value))


_LEAVES: Final[dict[str, Leaf]] = {"match": _one, "term": _one, "terms": _several, "prefix": _prefix}


def _inside(value: Any) -> str:
    """Take what is looked for out of `"text"`, `{"query": "text"}` or `{"value": "text"}`."""
    if isinstance(value, dict):
        fields = cast("Fields", value)
        for name in fields:
            if name not in _INSIDE:
                raise ForbiddenKeyword(keyword=name[:100])
        value = fields.get("query", fields.get("value"))
    if not isinstance(value, (str, int)):
        raise errors.SearchRefused(cause="a user name is a text")
    return str(value)


def _sorts(sort: Any) -> tuple[Sort, ...]:
    found: list[Sort] = []
    for each in _list(sort):
        for field, order in ({each: "asc"} if isinstance(each, str) else _object(each, "sort")).items():
            if field not in _SORTABLE:
                raise ForbiddenField(field=field[:100])
            found.append(Sort(_SORTABLE[field], _order(order) == "desc"))
    return tuple(found)


def _order(order: Any) -> Any:
    if isinstance(order, dict):
        fields = cast("Fields", order)
        for name in fields:
            if name != "order":
                raise ForbiddenKeyword(keyword=name[:100])
        order = fields.get("order", "asc")
    if order not in ("asc", "desc"):
        raise errors.SearchRefused(cause="the order is asc or desc")
    return order


def _object(value: Any, name: str) -> Fields:
    if not isinstance(value, dict):
        raise errors.SearchRefused(cause=f"[{name}] must be an object")
    return cast("Fields", value)


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return list(cast("Iterable[Any]", value))
    return [] if value is None else [value]
