"""A dictionary of bounded size, for everything that is cached or counted by keys that clients choose."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedDict(Generic[K, V]):
    """A dictionary of at most `size` entries: a new entry removes the one that was set the longest ago.

    A lookup is as fast as in a `dict`. The order comes from `OrderedDict`, because a `dict` looks for its oldest entry
    among all that were removed before: that takes tens of microseconds at 50,000 entries.
    """

    __slots__ = ("_entries", "clear", "get", "pop", "size")

    get: Callable[[K], V | None]
    pop: Callable[[K, None], V | None]
    clear: Callable[[], None]

    def __init__(self, size: int) -> None:
        self.size = size
        self._entries = entries = OrderedDict[K, V]()
        self.get, self.pop, self.clear = entries.get, entries.pop, entries.clear

    def set(self, key: K, value: V) -> None:
        """Store a value under a key; the entry counts as the newest, even where the key was known."""
        entries = self._entries
        entries[key] = value
        entries.move_to_end(key)
        if len(entries) > self.size:
            entries.popitem(last=False)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)
