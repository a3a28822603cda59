"""Terms, and the conditions that an index may answer."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from visado.storage.query import (
    And,
    Equals,
    Ids,
    Not,
    OneOf,
    Or,
    Predicate,
    Range,
    compile_predicate,
    necessary_conditions,
    term_of,
    terms_of,
)

from .generated import DOCUMENTS, FIELDS, PREDICATES, TEXTS, VALUES


@given(FIELDS, VALUES, DOCUMENTS)
def test_an_index_of_terms_finds_what_an_evaluation_finds(field: str, value: Any, document: dict[str, Any]):
    term = term_of(value)
    by_index = term is not None and term in terms_of(document, field)
    if field != "_id":
        assert compile_predicate(Equals(field, value))("x", document) is by_index


def test_necessary_conditions_are_those_that_all_found_documents_fulfil():
    where = And(
        (
            Equals("a", 1),
            And((OneOf("b", (1, 2)), Ids(("x",)))),
            Or((Equals("c", 1), Equals("d", 1))),
            Not(Equals("e", 1)),
            Equals("_id", 5),
            OneOf("_id", ("y", None)),
            Range("f", gt=1),
        )
    )
    found = set(necessary_conditions(where))
    assert found == {Equals("a", 1), OneOf("b", (1, 2)), Ids(("x",)), Ids(("5",)), Ids(("y",))}


@given(PREDICATES, TEXTS, DOCUMENTS)
def test_what_is_found_fulfils_each_necessary_condition(where: Predicate, id: str, document: dict[str, Any]):
    if compile_predicate(where)(id, document):
        assert all(compile_predicate(part)(id, document) for part in necessary_conditions(where))
