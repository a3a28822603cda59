"""Profiles: policies over roles, and the rights that follow from a set of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from visado import errors, events
from visado.codec import are_texts, is_list, is_object
from visado.host import Clock
from visado.request import Fields, User
from visado.security.documents import INFO, Kept, content, info
from visado.security.observers import Observers
from visado.security.rights.rights import Policy, Rights
from visado.security.rights.roles import PROTECTED, Roles
from visado.storage.bounded import BoundedDict
from visado.storage.protocol import DocumentExists, DocumentMissing, Storage
from visado.storage.query import Page, Query

COLLECTION: Final = "profiles"
RATE_LIMITS: Final = {"admin": 0, "default": 10, "anonymous": 200}
"""Requests per second once there is an administrator; 0 is no limit."""
_MAX_CACHED_PROFILE_SETS: Final = 10_000

Indexes = Callable[[str], frozenset[str] | None]
"""The collections of an index that the settings declare, or None where they do not."""


class Profiles:
    """Every profile, in memory as in the storage, and the rights compiled from them."""

    def __init__(self, storage: Storage, clock: Clock, roles: Roles, indexes: Indexes, observers: Observers) -> None:
        self._clock, self._roles, self._indexes, self._observers = clock, roles, indexes, observers
        self._rights = BoundedDict[tuple[tuple[str, ...], bool], Rights](_MAX_CACHED_PROFILE_SETS)
        self._limits = BoundedDict[tuple[str, ...], int](_MAX_CACHED_PROFILE_SETS)
        self._profiles = Kept(storage, COLLECTION, self._forget, self._note)
        roles.on_change.append(self._forget)

    def _forget(self) -> None:
        self._rights.clear()
        self._limits.clear()

    def _note(self, change: events.Change, profile: str) -> None:
        self._observers.note(events.ProfileChanged(change=change, target=profile))

    async def open(self) -> None:
        """Load every profile; on the first start, make the three that the host needs."""
        await self._profiles.load()
        if not all(profile in self._profiles for profile in PROTECTED):
            await self.reset()

    def find(self, profile: str) -> Mapping[str, Any]:
        """The profile of this id. Raises `ProfileNotFound`."""
        found = self._profiles.get(profile)
        if found is None:
            raise errors.ProfileNotFound(profile=profile)
        return found

    def policies(self, profile_ids: Iterable[str], *, loopback: bool = True) -> Iterable[Policy]:
        """The policies of profiles; one that has vanished grants nothing."""
        for profile in profile_ids:
            for policy in self._profiles.get(profile, {"policies": ()})["policies"]:
                if policy["roleId"] in self._roles:
                    controllers = self._roles.controllers(policy["roleId"], loopback=loopback)
                    yield Policy(controllers, policy.get("restrictedTo") or ())

    def rights(self, user: User, *, loopback: bool = True) -> Rights:
        """What a user may do, from near or from far."""
        compiled = self._rights.get((user.profile_ids, loopback))
        if compiled is None:
            compiled = Rights(self.policies(user.profile_ids, loopback=loopback))
            self._rights.set((user.profile_ids, loopback), compiled)
        return compiled

    def roles_of(self, user: User) -> frozenset[str]:
        """The ids of a user's roles."""
        policies = (self._profiles.get(profile, {"policies": ()})["policies"] for profile in user.profile_ids)
        return frozenset(policy["roleId"] for some in policies for policy in some)

    def rate_limit(self, user: User) -> int:
        """Requests per second that a user may make: the most permissive of its profiles wins, 0 is no limit."""
        found = self._limits.get(user.profile_ids)
        if found is None:
            limits = [self._profiles[each]["rateLimit"] for each in user.profile_ids if each in self._profiles]
            found = 0 if 0 in limits or not limits else max(limits)
            self._limits.set(user.profile_ids, found)
        return found

    def using(self, role: str) -> bool:
        """Whether a profile refers to a role."""
        return any(policy["roleId"] == role for each in self._profiles.values() for policy in each["policies"])

    async def search(self, query: Query) -> Page:
        """A page of profiles."""
        return await self._profiles.search(query)

    async def create(self, profile: str, body: Fields, *, strict: bool = False) -> Mapping[str, Any]:
        """Make a profile. Raises `DocumentAlreadyExists`, and what the checks raise."""
        try:
            return await self._profiles.create(profile, self._document(profile, body, strict, info(self._clock())))
        except DocumentExists:
            raise errors.DocumentAlreadyExists from None

    async def replace(self, profile: str, body: Fields, *, strict: bool = False) -> Mapping[str, Any]:
        """Make a profile, or put another in its place."""
        now = self._clock()
        return await self._profiles.put(profile, self._document(profile, body, strict, info(now, updated=now)))

    async def update(self, profile: str, body: Fields, *, strict: bool = False) -> Mapping[str, Any]:
        """Change members of a profile. Raises `ProfileNotFound`."""

        def change(before: Mapping[str, Any]) -> Fields:
            note = {**before[INFO], "updatedAt": self._clock()}
            return self._document(profile, {**content(before), **body}, strict, note)

        try:
            return await self._profiles.update(profile, change)
        except DocumentMissing:
            raise errors.ProfileNotFound(profile=profile) from None

    def check_deletable(self, profile: str) -> None:
        """Raise `ProfileProtected` or `ProfileNotFound` where there is nothing that may be deleted."""
        if profile in PROTECTED:
            raise errors.ProfileProtected
        self.find(profile)

    async def delete(self, profile: str) -> None:
        """Forget a profile; who has it is the caller's business. Raises what `check_deletable` raises."""
        self.check_deletable(profile)
        await self._profiles.delete(profile)

    async def reset(self) -> int:
        """Go back to the first start, without rate limits; return how many profiles were forgotten."""
        others = [each for each in self._profiles if each not in PROTECTED]
        for profile in others:
            await self.delete(profile)
        await self._standard(dict.fromkeys(PROTECTED, 0))
        return len(others)

    async def restrict(self) -> None:
        """Give the three profiles the limits that they have once there is an administrator."""
        await self._standard(RATE_LIMITS)

    async def _standard(self, limits: Mapping[str, int]) -> None:
        for profile, limit in limits.items():
            await self.replace(profile, {"policies": [{"roleId": profile}], "rateLimit": limit})

    def _document(self, profile: str, body: Fields, strict: bool, note: Fields) -> Fields:
        policies = body.get("policies")
        if not is_list(policies):
            raise errors.InvalidType(argument="body.policies", expected="array")
        policies = policies or [{"roleId": "default"}]
        for rank, policy in enumerate(policies):
            self._check_policy(f"{profile}.policies[{rank}]", policy, strict)
        if profile == "anonymous" and not any(policy["roleId"] == "anonymous" for policy in policies):
            raise errors.AnonymousRoleRequired
        return {
            **content(body),
            "policies": policies,
            "rateLimit": _rate_limit(body.get("rateLimit")),
            INFO: note,
        }

    def _check_policy(self, place: str, policy: Any, strict: bool) -> None:
        _only(policy, place, "roleId", "restrictedTo")
        role = policy.get("roleId")
        if not role:
            raise errors.MissingArgument(argument=f"{place}.roleId")
        if not isinstance(role, str):
            raise errors.InvalidType(argument=f"{place}.roleId", expected="string")
        self._roles.find(role)
        entries = policy.get("restrictedTo")
        if entries is None:
            return
        if not is_list(entries):
            raise errors.InvalidType(argument=f"{place}.restrictedTo", expected="object[]")
        for rank, entry in enumerate(entries):
            if not is_object(entry):
                raise errors.InvalidType(argument=f"{place}.restrictedTo[{entry}]", expected="object")
            self._check_restriction(f"{place}.restrictedTo[{rank}]", entry, strict)

    def _check_restriction(self, place: str, entry: Fields, strict: bool) -> None:
        index, collections = entry.get("index"), entry.get("collections")
        if not index:
            raise errors.MissingArgument(argument=f"{place}.index")
        if not isinstance(index, str):
            raise errors.InvalidType(argument=f"{place}.index", expected="string")
        if collections is not None and not are_texts(collections):
            raise errors.InvalidType(argument=f"{place}.collections", expected="string[]")
        _only(entry, place, "index", "collections")
        if strict:
            known = self._indexes(index)
            if known is None:
                raise errors.UnknownIndex(index=index)
            if unknown := [each for each in collections or () if each not in known]:
                raise errors.UnknownCollection(index=index, collections=unknown)


def _only(value: Any, place: str, *names: str) -> None:
    if not is_object(value):
        raise errors.InvalidType(argument=place, expected="object")
    accepted = ", ".join(f'"{name}"' for name in names)
    for name in value:
        if name not in names:
            raise errors.UnexpectedArgument(argument=f"{place}.{name}", accepted=accepted)


def _rate_limit(value: Any) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool):
        raise errors.InvalidType(argument="rateLimit", expected="integer")
    if value < 0:
        raise errors.InvalidArgument(argument="rateLimit", expected="positive integer, or zero")
    return value
