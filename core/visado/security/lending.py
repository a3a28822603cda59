"""What plugins are lent: small objects with the methods of the protocols of `visado.host`, and no others."""

from __future__ import annotations

from inspect import isfunction
from types import SimpleNamespace
from typing import Any, Never, TypeVar, cast

from typing_extensions import override

P = TypeVar("P")


class _Lent(SimpleNamespace):
    """Methods of the host. All plugins share the object, so that none may change it."""

    @override
    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"what the host lends cannot be changed: {name}")

    @override
    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"what the host lends cannot be changed: {name}")


def lend(protocol: object, owner: P, **others: Any) -> P:
    """Return an object that has the methods of a protocol: those of the owner, or `others` in their place."""
    names = [name for name, member in vars(protocol).items() if isfunction(member) and not name.startswith("_")]
    return cast("P", _Lent(**{name: others.get(name) or getattr(owner, name) for name in names}))
