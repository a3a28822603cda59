"""A person of a directory, and how credentials name one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Person:
    """An entry of a person: the stable id as `subject`, the current DN, mapped attributes and DNs of groups."""

    subject: str
    dn: str
    username: str
    attributes: dict[str, Any]
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class EntryQuery:
    """Which entry credentials name: by user name, by DN, or by the filter `where` below a base."""

    username: str = ""
    dn: str = ""
    base: str = ""
    where: str = ""
