"""Cursors over the pages of a search."""

from __future__ import annotations

import pytest

from visado import errors
from visado.search.cursors import Cursors
from visado.storage.query import Query


class Clock:
    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_cursor_asks_for_the_pages_that_follow(clock):
    cursors = Cursors(clock)
    cursor_id = cursors.open("users", Query(limit=2, after=("a",)), total=5, lifetime=10_000)
    cursors.advance(cursor_id, 2)
    assert cursors.find(cursor_id, "users").query == Query(limit=2, offset=2)
    cursors.advance(cursor_id, 2)
    cursors.advance(cursor_id, 1)
    with pytest.raises(errors.UnknownScrollId):
        cursors.find(cursor_id, "users")
    cursors.advance(cursor_id, 1)


def test_a_page_without_documents_closes_the_cursor(clock):
    cursors = Cursors(clock)
    cursor_id = cursors.open("users", Query(), total=5, lifetime=10_000)
    cursors.advance(cursor_id, 0)
    with pytest.raises(errors.UnknownScrollId):
        cursors.find(cursor_id, "users")


def test_a_cursor_belongs_to_its_collection(clock):
    cursors = Cursors(clock)
    cursor_id = cursors.open("users", Query(), total=5, lifetime=10_000)
    with pytest.raises(errors.UnknownScrollId):
        cursors.find(cursor_id, "profiles")


def test_a_cursor_expires_unless_it_is_used(clock):
    cursors = Cursors(clock)
    used, unused = (cursors.open("users", Query(), total=5, lifetime=10_000) for _ in range(2))
    clock.now += 9_000
    cursors.find(used, "users")
    clock.now += 14_000
    cursors.find(used, "users")
    with pytest.raises(errors.UnknownScrollId):
        cursors.find(unused, "users")


def test_so_many_cursors_may_be_open(clock):
    cursors = Cursors(clock)
    for _ in range(500):
        cursors.open("users", Query(), total=5, lifetime=10_000)
    with pytest.raises(errors.SearchRefused):
        cursors.open("users", Query(), total=5, lifetime=10_000)
    clock.now += 10_000
    cursors.open("users", Query(), total=5, lifetime=10_000)
