"""The dictionary of bounded size."""

from __future__ import annotations

from visado.storage.bounded import BoundedDict


def test_a_value_is_found_until_it_is_removed():
    cache = BoundedDict[str, int](2)
    cache.set("a", 1)
    assert (cache.get("a"), cache.get("b"), len(cache)) == (1, None, 1)
    assert "a" in cache
    assert "b" not in cache
    assert cache.pop("a", None) == 1
    assert cache.pop("a", None) is None
    cache.set("a", 2)
    cache.clear()
    assert cache.get("a") is None


def test_the_entry_that_was_set_the_longest_ago_is_removed():
    cache = BoundedDict[str, int](2)
    cache.set("a", 1)
    cache.set("b", 1)
    cache.set("a", 2)
    cache.get("b")
    cache.set("c", 1)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (2, None, 1)


def test_many_keys_leave_as_many_entries_as_the_size():
    cache = BoundedDict[int, int](100)
    for number in range(1_000):
        cache.set(number, number)
    assert len(cache) == 100
    assert all(number in cache for number in range(900, 1_000))
