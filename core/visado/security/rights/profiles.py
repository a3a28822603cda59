"""Profiles: lists of policies, each a role and its restrictions, and the rights of a set of profiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from visado import errors, events
from visado.codec import are_texts, is_list, is_object
from visado.host import Clock
from visado.request import Fields, User
from visado.security.documents import METADATA, MirroredCollection, build_metadata, strip_metadata
from visado.security.observers import Observers
from visado.security.rights.rights import Policy, Rights
from visado.security.rights.roles import PROTECTED_IDS, Roles
from visado.storage.bounded import BoundedDict
from visado.storage.protocol import DocumentExists, DocumentMissing, Storage
from visado.storage.query import Page, Query

COLLECTION: Final = "profiles"
RATE_LIMITS: Final = {"admin": 0, "default": 10, "anonymous": 200}
"""Requests per second of the protected profiles once the host has an administrator; 0 is no limit."""
_MAX_CACHED_PROFILE_SETS: Final = 10_000

KnownCollections: TypeAlias = Callable[[str], frozenset[str] | None]
"""Returns the collections of an index that `[rights] indexes` declares, or None for an unknown index."""


class Profiles:
    """The profiles, mirrored in memory, and caches of the rights and rate limits of sets of profiles."""

    def __init__(
        self, storage: Storage, clock: Clock, roles: Roles, known_collections: KnownCollections, observers: Observers
    ) -> None:
        self._clock, self._roles, self._observers = clock, roles, observers
        self._known_collections = known_collections
        self._rights = BoundedDict[tuple[tuple[str, ...], bool], Rights](_MAX_CACHED_PROFILE_SETS)
        self._limits = BoundedDict[tuple[str, ...], int](_MAX_CACHED_PROFILE_SETS)
        self._profiles = MirroredCollection(storage, COLLECTION, self._clear_caches, self._note)
        roles.on_change.append(self._clear_caches)

    def _clear_caches(self) -> None:
        self._rights.clear()
        self._limits.clear()

    def _note(self, change: events.Change, profile: str) -> None:
        self._observers.note(events.ProfileChanged(change=change, target=profile))

    async def open(self) -> None:
        """Load the profiles; on the first start, create the protected ones."""
        await self._profiles.load()
        if not all(profile in self._profiles for profile in PROTECTED_IDS):
            await self.reset()

    def find(self, profile: str) -> Mapping[str, Any]:
        """Return the profile of an id. Raises `ProfileNotFound`."""
        document = self._profiles.get(profile)
        if document is None:
            raise errors.ProfileNotFound(profile=profile)
        return document

    def policies(self, profile_ids: Iterable[str], *, loopback: bool = True) -> Iterable[Policy]:
        """Return the policies of profiles; a profile that was deleted grants nothing."""
        for profile in profile_ids:
            for policy in self._profiles.get(profile, {"policies": ()})["policies"]:
                if policy["roleId"] in self._roles:
                    controllers = self._roles.controllers(policy["roleId"], loopback=loopback)
                    yield Policy(controllers, policy.get("restrictedTo") or ())

    def rights(self, user: User, *, loopback: bool = True) -> Rights:
        """Return the rights of a user, for requests from this machine or from elsewhere."""
        rights = self._rights.get((user.profile_ids, loopback))
        if rights is None:
            rights = Rights(self.policies(user.profile_ids, loopback=loopback))
            self._rights.set((user.profile_ids, loopback), rights)
        return rights

    def roles_of(self, user: User) -> frozenset[str]:
        """Return the ids of a user's roles."""
        policies = (self._profiles.get(profile, {"policies": ()})["policies"] for profile in user.profile_ids)
        return frozenset(policy["roleId"] for some in policies for policy in some)

    def rate_limit(self, user: User) -> int:
        """Return how many requests per second a user may make: the most that a profile allows; 0 is no limit."""
        limit = self._limits.get(user.profile_ids)
        if limit is None:
            limits = [self._profiles[each]["rateLimit"] for each in user.profile_ids if each in self._profiles]
            limit = 0 if 0 in limits or not limits else max(limits)
            self._limits.set(user.profile_ids, limit)
        return limit

    def uses_role(self, role: str) -> bool:
        """Return whether a profile refers to a role."""
        return any(policy["roleId"] == role for each in self._profiles.values() for policy in each["policies"])

    async def search(self, query: Query) -> Page:
        """Return a page of profiles."""
        return await self._profiles.search(query)

    async def create(self, profile: str, body: Fields, *, strict: bool = False) -> Mapping[str, Any]:
        """Create a profile and return it. Raises `DocumentAlreadyExists`, and the error of an invalid member."""
        try:
            return await self._profiles.create(
                profile, self._document(profile, body, strict, build_metadata(self._clock()))
            )
        except DocumentExists:
            raise errors.DocumentAlreadyExists from None

    async def replace(self, profile: str, body: Fields, *, strict: bool = False) -> Mapping[str, Any]:
        """Create or replace a profile and return it. Raises the error of an invalid member.

        With `strict`, restrictions name known indexes and collections only.
        """
        now = self._clock()
        return await self._profiles.put(
            profile, self._document(profile, body, strict, build_metadata(now, updated=now))
        )

    async def update(self, profile: str, body: Fields, *, strict: bool = False) -> Mapping[str, Any]:
        """Change members of a profile and return it. Raises `ProfileNotFound`, and the error of an invalid member."""

        def change(before: Mapping[str, Any]) -> Fields:
            metadata = {**before[METADATA], "updatedAt": self._clock()}
            return self._document(profile, {**strip_metadata(before), **body}, strict, metadata)

        try:
            return await self._profiles.update(profile, change)
        except DocumentMissing:
            raise errors.ProfileNotFound(profile=profile) from None

    def check_deletable(self, profile: str) -> None:
        """Raise `ProfileProtected` or `ProfileNotFound` unless a profile may be deleted."""
        if profile in PROTECTED_IDS:
            raise errors.ProfileProtected
        self.find(profile)

    async def delete(self, profile: str) -> None:
        """Delete a profile; the caller takes it from its users before. Raises what `check_deletable` raises."""
        self.check_deletable(profile)
        await self._profiles.delete(profile)

    async def reset(self) -> int:
        """Delete all other profiles, and reset the protected ones to the first start, without rate limits.

        Returns how many profiles were deleted.
        """
        others = [each for each in self._profiles if each not in PROTECTED_IDS]
        for profile in others:
            await self.delete(profile)
        await self._reset_protected(dict.fromkeys(PROTECTED_IDS, 0))
        return len(others)

    async def restrict(self) -> None:
        """Give the protected profiles the rate limits that they have once the host has an administrator."""
        await self._reset_protected(RATE_LIMITS)

    async def _reset_protected(self, limits: Mapping[str, int]) -> None:
        for profile, limit in limits.items():
            await self.replace(profile, {"policies": [{"roleId": profile}], "rateLimit": limit})

    def _document(self, profile: str, body: Fields, strict: bool, metadata: Fields) -> Fields:
        policies = body.get("policies")
        if not is_list(policies):
            raise errors.InvalidType(argument="body.policies", expected="array")
        policies = policies or [{"roleId": "default"}]
        for rank, policy in enumerate(policies):
            self._check_policy(f"{profile}.policies[{rank}]", policy, strict)
        if profile == "anonymous" and not any(policy["roleId"] == "anonymous" for policy in policies):
            raise errors.AnonymousRoleRequired
        return {
            **strip_metadata(body),
            "policies": policies,
            "rateLimit": _read_rate_limit(body.get("rateLimit")),
            METADATA: metadata,
        }

    def _check_policy(self, path: str, policy: Any, strict: bool) -> None:
        _check_members(policy, path, "roleId", "restrictedTo")
        role = policy.get("roleId")
        if not role:
            raise errors.MissingArgument(argument=f"{path}.roleId")
        if not isinstance(role, str):
            raise errors.InvalidType(argument=f"{path}.roleId", expected="string")
        self._roles.find(role)
        entries = policy.get("restrictedTo")
        if entries is None:
            return
        if not is_list(entries):
            raise errors.InvalidType(argument=f"{path}.restrictedTo", expected="object[]")
        for rank, entry in enumerate(entries):
            if not is_object(entry):
                raise errors.InvalidType(argument=f"{path}.restrictedTo[{entry}]", expected="object")
            self._check_restriction(f"{path}.restrictedTo[{rank}]", entry, strict)

    def _check_restriction(self, path: str, entry: Fields, strict: bool) -> None:
        index, collections = entry.get("index"), entry.get("collections")
        if not index:
            raise errors.MissingArgument(argument=f"{path}.index")
        if not isinstance(index, str):
            raise errors.InvalidType(argument=f"{path}.index", expected="string")
        if collections is not None and not are_texts(collections):
            raise errors.InvalidType(argument=f"{path}.collections", expected="string[]")
        _check_members(entry, path, "index", "collections")
        if strict:
            known = self._known_collections(index)
            if known is None:
                raise errors.UnknownIndex(index=index)
            if unknown := [each for each in collections or () if each not in known]:
                raise errors.UnknownCollection(index=index, collections=unknown)


def _check_members(value: Any, path: str, *names: str) -> None:
    if not is_object(value):
        raise errors.InvalidType(argument=path, expected="object")
    accepted = ", ".join(f'"{name}"' for name in names)
    for name in value:
        if name not in names:
            raise errors.UnexpectedArgument(argument=f"{path}.{name}", accepted=accepted)


def _read_rate_limit(value: Any) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool):
        raise errors.InvalidType(argument="rateLimit", expected="integer")
    if value < 0:
        raise errors.InvalidArgument(argument="rateLimit", expected="positive integer, or zero")
    return value
