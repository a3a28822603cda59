"""Rights: which actions a set of policies allows. Pure: no storage, no clock, no request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from visado.codec import is_list, is_object
from visado.request import Fields
from visado.storage.bounded import BoundedDict

WILDCARD: Final = "*"
_MAX_CACHED_ACTIONS: Final = 4_096
_MAX_LIMITED_RIGHTS: Final = 256
Controllers: TypeAlias = Mapping[str, Mapping[str, Mapping[str, bool]]]
"""The `controllers` of a role: controller -> `actions` -> action -> allowed."""


def role_allows(controllers: Controllers, controller: str, action: str) -> bool:
    """Return whether a role allows an action. An exact entry replaces the wildcard entry of its level."""
    entry = controllers.get(controller, controllers.get(WILDCARD))
    if entry is None:
        return False
    actions = entry["actions"]
    return actions.get(action, actions.get(WILDCARD)) is True


@dataclass(frozen=True, slots=True)
class Policy:
    """The rights of a role, restricted to indexes and collections; an empty `restricted_to` restricts nothing."""

    controllers: Controllers
    restricted_to: Sequence[Mapping[str, Any]] = ()

    def covers(self, index: str | None, collection: str | None) -> bool:
        """Return whether the restrictions include an index and a collection."""
        if not self.restricted_to or not index:
            return True
        return any(
            entry["index"] == index
            and (not entry.get("collections") or not collection or collection in entry["collections"])
            for entry in self.restricted_to
        )


class Rights:
    """The rights of a set of profiles. The policies that allow an action are cached."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = tuple(policies)
        self._cache = BoundedDict[tuple[str, str], tuple[Policy, ...]](_MAX_CACHED_ACTIONS)
        self._limited = BoundedDict[frozenset[str], Rights](_MAX_LIMITED_RIGHTS)

    def limited_to(self, actions: frozenset[str]) -> Rights:
        """Return the part of these rights that concerns some actions, by their ids, such as `auth:getCurrentUser`."""
        limited = self._limited.get(actions)
        if limited is None:
            limited = Rights(_limited_policy(each, actions) for each in self.policies)
            self._limited.set(actions, limited)
        return limited

    def allows(self, controller: str, action: str, args: Mapping[str, Any] | None = None) -> bool:
        """Return whether one policy allows an action on the index and collection, or the targets, that `args` name."""
        policies = self._cache.get((controller, action))
        if policies is None:
            policies = tuple(each for each in self.policies if role_allows(each.controllers, controller, action))
            self._cache.set((controller, action), policies)
        if not policies:
            return False
        if not args:
            return True
        targets = args.get("targets")
        if targets is None:
            return _one_covers(policies, args.get("index"), args.get("collection"))
        return is_list(targets) and all(_covers_target(policies, target) for target in targets)


def _limited_policy(policy: Policy, actions: Iterable[str]) -> Policy:
    controllers: dict[str, dict[str, dict[str, bool]]] = {}
    for each in sorted(actions):
        controller, _, action = each.rpartition(":")
        if role_allows(policy.controllers, controller, action):
            controllers.setdefault(controller, {"actions": {}})["actions"][action] = True
    return Policy(controllers, policy.restricted_to)


def _one_covers(policies: Iterable[Policy], index: Any, collection: Any) -> bool:
    return any(each.covers(index, collection) for each in policies)


def _covers_target(policies: Sequence[Policy], target: Any) -> bool:
    if not is_object(target):
        return False
    index, collections = target.get("index"), target.get("collections")
    if not index or not collections:
        return True
    if not is_list(collections) or index == WILDCARD or WILDCARD in collections:
        return False
    return all(_one_covers(policies, index, collection) for collection in collections)


def shared_policies(first: Sequence[Policy], second: Sequence[Policy]) -> list[Policy]:
    """Return the policies of what both of two sets of policies allow."""
    shared: list[Policy] = []
    for one in first:
        for other in second:
            restrictions = _shared_restrictions(one.restricted_to, other.restricted_to)
            if restrictions is not None:
                shared.append(Policy(_shared_controllers(one.controllers, other.controllers), restrictions))
    return shared


def _shared_controllers(one: Controllers, other: Controllers) -> Controllers:
    shared: dict[str, Mapping[str, Mapping[str, bool]]] = {}
    for controller in dict.fromkeys((*one, *other)):
        entries = [each.get(controller, each.get(WILDCARD)) for each in (one, other)]
        actions = dict.fromkeys(action for entry in entries if entry is not None for action in entry["actions"])
        allowed = {
            each: role_allows(one, controller, each) and role_allows(other, controller, each) for each in actions
        }
        shared[controller] = {"actions": allowed}
    return shared


def _shared_restrictions(
    one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]
) -> Sequence[Mapping[str, Any]] | None:
    """Return the restrictions that are in both, where no restriction restricts nothing; None where nothing is left."""
    if not one or not other:
        return one or other
    shared: list[Mapping[str, Any]] = []
    for first in one:
        for second in other:
            if first["index"] != second["index"]:
                continue
            mine, others = first.get("collections") or (), second.get("collections") or ()
            collections = [each for each in mine if each in others] if mine and others else [*mine, *others]
            if collections or not (mine and others):
                shared.append({"index": first["index"], "collections": collections})
    return shared or None


def list_rights(policies: Iterable[Policy]) -> Fields:
    """Return rights as `auth:getMyRights` does: `{hits, total}`, a hit per action entry and restriction."""
    items: dict[tuple[str, str, str, str, str], None] = {}
    for policy in policies:
        for controller, entry in policy.controllers.items():
            for action, right in entry["actions"].items():
                value = "allowed" if right else "denied"
                for index, collection in _restrictions(policy.restricted_to):
                    items[controller, action, index, collection, value] = None
    names = ("controller", "action", "index", "collection", "value")
    hits = [dict(zip(names, item, strict=True)) for item in items]
    return {"hits": hits, "total": len(hits)}


def _restrictions(restricted_to: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    if not restricted_to:
        yield WILDCARD, WILDCARD
    for entry in restricted_to:
        for collection in entry.get("collections") or (WILDCARD,):
            yield entry["index"], collection
