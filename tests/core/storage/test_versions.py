"""The version of the stored data, and caches that are valid for one version."""

from __future__ import annotations

from visado.storage.versions import Version, VersionedCache


def test_a_value_is_cached_for_its_version_alone():
    version = Version()
    cache = VersionedCache[int](version, 10)
    cache.set("bob", 2, cache.version)
    assert cache.get("bob") == 2
    version.advance()
    assert cache.get("bob") is None


def test_a_value_that_was_computed_before_a_write_is_not_cached_after_it():
    version = Version()
    cache = VersionedCache[int](version, 10)
    before = cache.version
    version.advance()
    cache.set("bob", 1, before)
    assert cache.get("bob") is None


def test_the_first_value_of_a_version_removes_those_of_the_last():
    version = Version()
    cache = VersionedCache[int](version, 10)
    cache.set("ann", 1, cache.version)
    cache.set("bob", 1, cache.version)
    version.advance()
    cache.set("eve", 1, cache.version)
    assert len(cache) == 1


def test_a_full_cache_removes_its_oldest_value():
    version = Version()
    cache = VersionedCache[int](version, 2)
    for name in ("ann", "bob", "eve"):
        cache.set(name, 1, cache.version)
    assert (len(cache), cache.get("ann"), cache.get("eve")) == (2, None, 1)
