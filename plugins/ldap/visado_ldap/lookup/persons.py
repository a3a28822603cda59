"""A person of a directory, and how credentials name one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from visado import Fields, Identity


@dataclass(frozen=True, slots=True)
class Person:
    """An entry of a person: the stable id as `subject`, the current DN, mapped attributes and DNs of groups."""

    subject: str
    dn: str
    username: str
    attributes: dict[str, Any]
    groups: frozenset[str]

    @property
    def kept(self) -> Fields:
        """The members of the person's credentials that follow from the entry, which exists."""
        return {"username": self.username, "dn": self.dn, "gone": False}

    def identity(self, profiles: Iterable[str]) -> Identity:
        """Return the person as the host knows it. `profiles` are those that the person's groups grant."""
        return Identity(self.subject, self.attributes, self.kept, tuple(profiles))


@dataclass(frozen=True, slots=True)
class EntryQuery:
    """Which entry credentials name: by user name, by DN, or by the filter `where` below a base."""

    username: str = ""
    dn: str = ""
    base: str = ""
    where: str = ""
