"""Joining predicates as simply as may be."""

from __future__ import annotations

from visado.storage.query.predicates import NOTHING, And, Anything, Exists, Or, all_of, any_of

A, B = Exists("a"), Exists("b")


def test_all_of():
    assert all_of(()) == Anything()
    assert all_of((A,)) == A
    assert all_of((A, Anything())) == A
    assert all_of((A, B)) == And((A, B))


def test_any_of():
    assert any_of(()) == NOTHING
    assert any_of((A,)) == A
    assert any_of((A, B)) == Or((A, B))
