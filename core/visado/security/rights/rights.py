"""May this user run this action? Pure: no storage, no clock, no request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from visado.codec import is_list, is_object
from visado.request import Fields
from visado.storage.bounded import BoundedDict

ANY: Final = "*"
_MAX_CACHED_ACTIONS: Final = 4_096
Controllers = Mapping[str, Mapping[str, Mapping[str, bool]]]
"""A role's `controllers`: controller -> `actions` -> action -> allowed."""


def allows(controllers: Controllers, controller: str, action: str) -> bool:
    """Whether a role allows an action. An exact entry hides the wildcard of its level completely."""
    entry = controllers.get(controller, controllers.get(ANY))
    if entry is None:
        return False
    actions = entry["actions"]
    return actions.get(action, actions.get(ANY)) is True


@dataclass(frozen=True, slots=True)
class Policy:
    """A role's rights, and the indexes and collections to which they are restricted; empty: to none."""

    controllers: Controllers
    restricted_to: Sequence[Mapping[str, Any]] = ()

    def covers(self, index: str | None, collection: str | None) -> bool:
        """Whether the restrictions let this index and collection pass."""
        if not self.restricted_to or not index:
            return True
        return any(
            entry["index"] == index
            and (not entry.get("collections") or not collection or collection in entry["collections"])
            for entry in self.restricted_to
        )


class Rights:
    """The rights of a set of profiles, compiled: asking twice costs a look-up."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = tuple(policies)
        self._allowing = BoundedDict[tuple[str, str], tuple[Policy, ...]](_MAX_CACHED_ACTIONS)

    def allow(self, controller: str, action: str, args: Mapping[str, Any] | None = None) -> bool:
        """Whether one policy allows the action, on the index and collection that `args` name."""
        policies = self._allowing.get((controller, action))
        if policies is None:
            policies = tuple(each for each in self.policies if allows(each.controllers, controller, action))
            self._allowing.set((controller, action), policies)
        if not policies:
            return False
        if not args:
            return True
        targets = args.get("targets")
        if targets is None:
            return _covered(policies, args.get("index"), args.get("collection"))
        return is_list(targets) and all(_covers_target(policies, target) for target in targets)


def _covered(policies: Iterable[Policy], index: Any, collection: Any) -> bool:
    return any(each.covers(index, collection) for each in policies)


def _covers_target(policies: Sequence[Policy], target: Any) -> bool:
    if not is_object(target):
        return False
    index, collections = target.get("index"), target.get("collections")
    if not index or not collections:
        return True
    if not is_list(collections) or index == ANY or ANY in collections:
        return False
    return all(_covered(policies, index, collection) for collection in collections)


def listing(policies: Iterable[Policy]) -> Fields:
    """List rights as `getMyRights` does: an item per action entry and restriction, none of them twice."""
    items: dict[tuple[str, str, str, str, str], None] = {}
    for policy in policies:
        for controller, entry in policy.controllers.items():
            for action, right in entry["actions"].items():
                value = "allowed" if right else "denied"
                for index, collection in _places(policy.restricted_to):
                    items[controller, action, index, collection, value] = None
    names = ("controller", "action", "index", "collection", "value")
    hits = [dict(zip(names, item, strict=True)) for item in items]
    return {"hits": hits, "total": len(hits)}


def _places(restricted_to: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    if not restricted_to:
        yield ANY, ANY
    for entry in restricted_to:
        for collection in entry.get("collections") or (ANY,):
            yield entry["index"], collection
