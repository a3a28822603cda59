"""Elasticsearch's query language: the part that clients use.

Fields need no mapping: `nested` is its inner query, since lists are searched item by item anyway, and what
only tunes scores or analysis is accepted and changes nothing. Anything else is refused by its name.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from typing import Any

from visado import errors
from visado.search.clauses import (
    Clauses,
    Object,
    Reader,
    is_list,
    is_object,
    known,
    list_of,
    refuse,
    scalar,
    single,
    text,
    tuned,
)
from visado.storage.query import evaluate
from visado.storage.query.predicates import (
    NOTHING,
    Anything,
    AtLeast,
    Equals,
    Exists,
    Ids,
    Matches,
    Not,
    OneOf,
    Predicate,
    Prefix,
    Range,
    Regexp,
    Wildcard,
    all_of,
    any_of,
)

_SCRIPTS = frozenset({"script", "_script"})
_SCRIPT_ARGUMENTS = frozenset({"id", "params"})
_MATCH_OPTIONS = (
    "query",
    "operator",
    "analyzer",
    "auto_generate_synonyms_phrase_query",
    "fuzziness",
    "fuzzy_transpositions",
    "lenient",
    "max_expansions",
    "prefix_length",
    "zero_terms_query",
)
_SHARE = re.compile(r"(-?)([0-9]{1,9})(%?)")


def compile_query(query: Any, *, keywords: Container[str] = ()) -> Predicate:
    """Compile a query; an empty one finds everything. Raises `SearchRefused`, `InvalidQueryKeyword`."""
    refuse_scripts(query)
    return Anything() if query == {} else Clauses(READERS, keywords).read(query)


def refuse_scripts(value: Any) -> None:
    """Raise `InvalidQueryKeyword` if there is a script to run in it, at any depth."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if is_list(item):
            waiting.extend(item)
        elif is_object(item):
            for name, inner in item.items():
                if name in _SCRIPTS and is_object(inner):
                    _refuse_script(name, inner)
                waiting.append(inner)


def _refuse_script(name: str, script: Object) -> None:
    refused = next((argument for argument in script if argument not in _SCRIPT_ARGUMENTS), None)
    if refused is not None:
        raise errors.InvalidQueryKeyword(keyword=f"{name}.{refused}")


def _match_all(_clauses: Clauses, keyword: str, content: Any) -> Predicate:
    known(content, keyword)
    return Anything()


def _match_none(_clauses: Clauses, keyword: str, content: Any) -> Predicate:
    known(content, keyword)
    return NOTHING


def _match(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    field, given = single(content, keyword)
    options = known(given, keyword, *_MATCH_OPTIONS) if is_object(given) else {"query": given}
    value = scalar(options.get("query"), keyword)
    operator = text(options.get("operator", "or"), keyword).lower()
    if operator not in {"and", "or"}:
        refuse(f"[{keyword}] query does not support the operator [{operator}]")
    if field == "_id" or field in clauses.keywords:
        return Equals(field, value)
    if operator == "and" and isinstance(value, str):
        words = list_of(evaluate.words(value), keyword)
        return all_of(Matches(field, word) for word in words) if words else NOTHING
    return Matches(field, value)


def term(_clauses: Clauses, keyword: str, content: Any) -> Predicate:
    """Read one field and its value."""
    field, value = _field_value(content, keyword, "value")
    return Equals(field, scalar(value, keyword))


def terms(_clauses: Clauses, keyword: str, content: Any) -> Predicate:
    """Read one field and the list of its values."""
    field, values = single(tuned(content, keyword), keyword)
    return OneOf(field, tuple(scalar(value, keyword) for value in list_of(values, keyword)))


def _ids(_clauses: Clauses, keyword: str, content: Any) -> Predicate:
    values = known(content, keyword, "values", "type").get("values")
    found = [values] if isinstance(values, str) else list_of(values, keyword)
    return Ids(tuple(evaluate.term(scalar(value, keyword)) or "" for value in found))


def _exists(_clauses: Clauses, keyword: str, content: Any) -> Predicate:
    return Exists(text(known(content, keyword, "field").get("field"), keyword))


def _range(_clauses: Clauses, keyword: str, content: Any) -> Predicate:
    field, given = single(tuned(content, keyword), keyword)
    bounds = known(given, keyword, "gt", "gte", "lt", "lte", "format", "relation", "time_zone")
    read = {
        name: scalar(value, keyword)
        for name, value in bounds.items()
        if name in {"gt", "gte", "lt", "lte"} and value is not None
    }
    return Range(field, **read)


def _prefix(_clauses: Clauses, keyword: str, content: Any) -> Predicate:
    return Prefix(*_field_text(content, keyword, "value", "rewrite"))


def _wildcard(_clauses: Clauses, keyword: str, content: Any) -> Predicate:
    return Wildcard(*_field_text(content, keyword, "value", "wildcard", "rewrite"))


def _regexp(_clauses: Clauses, keyword: str, content: Any) -> Predicate:
    field, pattern = _field_text(content, keyword, "value", "flags", "max_determinized_states", "rewrite")
    # Elasticsearch's expressions fit the whole text.
    return Regexp(field, rf"\A(?:{pattern})\Z")


def _bool(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    given = known(
        content,
        keyword,
        "must",
        "filter",
        "should",
        "must_not",
        "mustNot",
        "minimum_should_match",
        "adjust_pure_negative",
    )
    needed = clauses.read_all(given.get("must", [])) + clauses.read_all(given.get("filter", []))
    refused = clauses.read_all(given.get("must_not", [])) + clauses.read_all(given.get("mustNot", []))
    options = clauses.read_all(given.get("should", []))
    count = _how_many(given.get("minimum_should_match"), len(options), 0 if needed else 1)
    parts = needed + [Not(part) for part in refused]
    if options and count > 0:
        parts.append(any_of(options) if count == 1 else AtLeast(count, tuple(options)))
    return all_of(parts)


def _how_many(minimum: Any, of: int, default: int) -> int:
    """Read `minimum_should_match`: a count or a share; a negative one says how many may be missing."""
    if minimum is None:
        return default
    found = _SHARE.fullmatch(str(minimum)) if isinstance(minimum, str | int) else None
    if found is None:
        refuse("[minimum_should_match] takes a count or a share")
    sign, digits, percent = found.groups()
    count = of * int(digits) // 100 if percent else int(digits)
    return of - count if sign else count


def _nested(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    given = known(content, keyword, "path", "query", "score_mode", "ignore_unmapped")
    return clauses.read(given.get("query"))


def _constant_score(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    return clauses.read(known(content, keyword, "filter").get("filter"))


def _field_value(content: Any, keyword: str, *options: str) -> tuple[str, Any]:
    """Read `{field: value}` and `{field: {"value": value}}`; the first options are the names of the value."""
    field, given = single(content, keyword)
    if not is_object(given):
        return field, given
    named = known(given, keyword, *options, "case_insensitive")
    if named.get("case_insensitive"):
        refuse(f"[{keyword}] query does not support [case_insensitive]")
    return field, named.get("value", named.get("wildcard"))


def _field_text(content: Any, keyword: str, *options: str) -> tuple[str, str]:
    field, value = _field_value(content, keyword, *options)
    return field, evaluate.term(scalar(value, keyword)) or ""


READERS: Mapping[str, Reader] = {
    "bool": _bool,
    "constant_score": _constant_score,
    "exists": _exists,
    "ids": _ids,
    "match": _match,
    "match_all": _match_all,
    "match_none": _match_none,
    "nested": _nested,
    "prefix": _prefix,
    "range": _range,
    "regexp": _regexp,
    "term": term,
    "terms": terms,
    "wildcard": _wildcard,
}
"""How to read each keyword."""
