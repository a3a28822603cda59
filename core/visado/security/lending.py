"""What plugins are lent: small objects with the methods of the protocols of `visado.host`, and no others."""

from __future__ import annotations

from inspect import isfunction
from types import SimpleNamespace
from typing import Any, TypeVar, cast

P = TypeVar("P")


def lend(protocol: object, owner: P, **others: Any) -> P:
    """Return an object that has the methods of a protocol: those of the owner, or `others` in their place."""
    names = [name for name, member in vars(protocol).items() if isfunction(member) and not name.startswith("_")]
    return cast("P", SimpleNamespace(**{name: others.get(name) or getattr(owner, name) for name in names}))
