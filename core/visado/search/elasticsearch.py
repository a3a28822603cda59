"""The part of Elasticsearch's query language that clients use, compiled to predicates.

Fields need no mapping: a list is searched item by item anyway, so `nested` stands for its inner query. Options that
only tune scores or the analysis of text are accepted and change nothing. Everything else is refused by its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from visado import errors
from visado.codec import is_list, is_object
from visado.request import Fields
from visado.search.clause_reading import (
    Clauses,
    Reader,
    refuse,
    require_list,
    require_object,
    require_scalar,
    require_text,
    without_tuning,
)
from visado.search.rules import ALLOW_ALL, SearchRules
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
from visado.storage.query.terms import term_of, words_of

_SCRIPTS: Final = frozenset({"script", "_script"})
_SCRIPT_ARGUMENTS: Final = frozenset({"id", "params"})
_BOUNDS: Final = ("gt", "gte", "lt", "lte")
_MATCH_OPTIONS: Final = (
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
_MINIMUM: Final = re.compile(r"(-?)([0-9]{1,9})(%?)")


def compile_query(query: Any, rules: SearchRules = ALLOW_ALL) -> Predicate:
    """Compile a query; an empty one finds every document.

    Raises `SearchRefused`, `InvalidQueryKeyword`, and the errors of the rules.
    """
    if rules.words is None:
        refuse_scripts(query)
    return Anything() if query == {} else Clauses(READERS, rules).read(query)


def refuse_scripts(value: Any) -> None:
    """Raise `InvalidQueryKeyword` if a value holds a script to run, at any depth."""
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


def _refuse_script(name: str, script: Fields) -> None:
    refused = next((argument for argument in script if argument not in _SCRIPT_ARGUMENTS), None)
    if refused is not None:
        raise errors.InvalidQueryKeyword(keyword=f"{name}.{refused}")


def _match_all(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    clauses.options(content, keyword)
    return Anything()


def _match_none(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    clauses.options(content, keyword)
    return NOTHING


def _match(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    field, value = clauses.field(content, keyword)
    options = clauses.options(value, keyword, *_MATCH_OPTIONS) if is_object(value) else {"query": value}
    wanted = require_scalar(options.get("query"), keyword)
    operator = require_text(options.get("operator", "or"), keyword).lower()
    if operator not in {"and", "or"}:
        refuse(f"[{keyword}] query does not support the operator [{operator}]")
    if field == "_id" or field in clauses.rules.exact:
        return Equals(field, wanted)
    if operator == "and" and isinstance(wanted, str):
        words = require_list(words_of(wanted), keyword)
        return all_of(Matches(field, word) for word in words) if words else NOTHING
    return Matches(field, wanted)


def read_term(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    """Compile `{field: value}` or `{field: {"value": value}}`."""
    field, value = _field_value(clauses, keyword, content, "value")
    return Equals(field, require_scalar(value, keyword))


def read_terms(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    """Compile `{field: [value]}`."""
    field, values = clauses.field(without_tuning(require_object(content, keyword)), keyword)
    return OneOf(field, tuple(require_scalar(value, keyword) for value in require_list(values, keyword)))


def _ids(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    values = clauses.options(content, keyword, "values", "type").get("values")
    ids = [values] if isinstance(values, str) else require_list(values, keyword)
    return Ids(tuple(term_of(require_scalar(value, keyword)) or "" for value in ids))


def _exists(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    name = require_text(clauses.options(content, keyword, "field").get("field"), keyword)
    return Exists(clauses.rules.field(name))


def _range(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    field, value = clauses.field(without_tuning(require_object(content, keyword)), keyword)
    options = clauses.options(value, keyword, *_BOUNDS, "format", "relation", "time_zone")
    bounds = {
        name: require_scalar(bound, keyword) for name, bound in options.items() if name in _BOUNDS and bound is not None
    }
    return Range(field, **bounds)


def _prefix(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    return Prefix(*_field_text(clauses, keyword, content, "value", "rewrite"))


def _wildcard(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    return Wildcard(*_field_text(clauses, keyword, content, "value", "wildcard", "rewrite"))


def _regexp(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    options = ("value", "flags", "max_determinized_states", "rewrite")
    field, pattern = _field_text(clauses, keyword, content, *options)
    # An expression of Elasticsearch must match the whole text.
    return Regexp(field, rf"\A(?:{pattern})\Z")


def _bool(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    options = clauses.options(
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
    required = clauses.read_all(options.get("must", [])) + clauses.read_all(options.get("filter", []))
    excluded = clauses.read_all(options.get("must_not", [])) + clauses.read_all(options.get("mustNot", []))
    optional = clauses.read_all(options.get("should", []))
    minimum = _minimum(options.get("minimum_should_match"), len(optional), 0 if required else 1)
    parts = required + [Not(part) for part in excluded]
    if optional and minimum > 0:
        parts.append(any_of(optional) if minimum == 1 else AtLeast(minimum, tuple(optional)))
    return all_of(parts)


def _minimum(value: Any, clause_count: int, default: int) -> int:
    """Read `minimum_should_match`: a count or a percentage; a negative one says how many clauses may fail."""
    if value is None:
        return default
    match = _MINIMUM.fullmatch(str(value)) if isinstance(value, str | int) else None
    if match is None:
        refuse("[minimum_should_match] must be a count or a percentage")
    sign, digits, percent = match.groups()
    count = clause_count * int(digits) // 100 if percent else int(digits)
    return clause_count - count if sign else count


def _nested(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    options = clauses.options(content, keyword, "path", "query", "score_mode", "ignore_unmapped")
    return clauses.read(options.get("query"))


def _constant_score(clauses: Clauses, keyword: str, content: Any) -> Predicate:
    return clauses.read(clauses.options(content, keyword, "filter").get("filter"))


def _field_value(clauses: Clauses, keyword: str, content: Any, *options: str) -> tuple[str, Any]:
    """Read `{field: value}` or `{field: {"value": value}}`; `options` are the other keys that may stand there."""
    field, value = clauses.field(content, keyword)
    if not is_object(value):
        return field, value
    named = clauses.options(value, keyword, *options, "case_insensitive")
    if named.get("case_insensitive"):
        refuse(f"[{keyword}] query does not support [case_insensitive]")
    return field, named.get("value", named.get("wildcard"))


def _field_text(clauses: Clauses, keyword: str, content: Any, *options: str) -> tuple[str, str]:
    field, value = _field_value(clauses, keyword, content, *options)
    return field, term_of(require_scalar(value, keyword)) or ""


READERS: Final[Mapping[str, Reader]] = {
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
    "term": read_term,
    "terms": read_terms,
    "wildcard": _wildcard,
}
"""The clauses by their keywords."""
