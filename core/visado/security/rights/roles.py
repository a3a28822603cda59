"""Roles: the actions that each allows, checked against the actions that exist."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, cast

from visado import errors, events
from visado.codec import is_object
from visado.host import Clock
from visado.request import Fields
from visado.security.documents import METADATA, MirroredCollection, build_metadata, strip_metadata
from visado.security.observers import Observers
from visado.security.rights import rights
from visado.storage.protocol import DocumentExists, DocumentMissing, Storage
from visado.storage.query import Page, Query

PROTECTED_IDS: Final = ("anonymous", "default", "admin")
"""The roles and profiles that the host needs: they can be changed and not deleted."""
ALL_ACTIONS: Final[Fields] = {"*": {"actions": {"*": True}}}
RESTRICTED_ROLES: Final[Mapping[str, Fields]] = {
    "admin": ALL_ACTIONS,
    "default": {
        "auth": {
            "actions": dict.fromkeys(("checkToken", "getCurrentUser", "getMyRights", "logout", "updateSelf"), True)
        },
        "server": {"actions": {"publicApi": True}},
    },
    "anonymous": {
        "auth": {"actions": dict.fromkeys(("checkToken", "getCurrentUser", "getMyRights", "login"), True)},
        "server": {"actions": {"publicApi": True, "openapi": True}},
    },
}
"""The protected roles once the host has an administrator. Before, they allow all actions."""
COLLECTION: Final = "roles"

KnownActions: TypeAlias = Callable[[str], tuple[frozenset[str], bool] | None]
"""Returns the actions of a controller and whether it is the host's own, or None for an unknown controller.

Other controllers are those of applications, which `[rights] resources` declares.
"""


class Roles:
    """The roles, mirrored in memory."""

    def __init__(self, storage: Storage, clock: Clock, known_actions: KnownActions, observers: Observers) -> None:
        self._clock, self._known_actions, self._observers = clock, known_actions, observers
        self.on_change: list[Callable[[], None]] = []
        self._roles = MirroredCollection(storage, COLLECTION, self._changed, self._note)

    async def open(self) -> None:
        """Load the roles; on the first start, create the protected ones."""
        await self._roles.load()
        if not all(role in self._roles for role in PROTECTED_IDS):
            await self.reset()

    def __contains__(self, role: str) -> bool:
        return role in self._roles

    def find(self, role: str) -> Mapping[str, Any]:
        """Return the role of an id. Raises `RoleNotFound`."""
        document = self._roles.get(role)
        if document is None:
            raise errors.RoleNotFound(role=role)
        return document

    def controllers(self, role: str, *, loopback: bool) -> rights.Controllers:
        """Return the `controllers` of a role, as they count for a request from this machine or from elsewhere.

        The unrestricted `anonymous` and `default` of the first start count for this machine only.
        """
        allowed = self.find(role)["controllers"]
        if not loopback and role in ("anonymous", "default") and allowed == ALL_ACTIONS:
            return RESTRICTED_ROLES[role]
        return cast("rights.Controllers", allowed)

    async def search(self, query: Query) -> Page:
        """Return a page of roles."""
        return await self._roles.search(query)

    async def create(self, role: str, body: Fields, *, force: bool = False) -> Mapping[str, Any]:
        """Create a role and return it. Raises `DocumentAlreadyExists`, and what `check` raises."""
        try:
            return await self._roles.create(role, self._document(role, body, force, build_metadata(self._clock())))
        except DocumentExists:
            raise errors.DocumentAlreadyExists from None

    async def replace(self, role: str, body: Fields, *, force: bool = False) -> Mapping[str, Any]:
        """Create or replace a role and return it. Raises what `check` raises."""
        now = self._clock()
        return await self._roles.put(role, self._document(role, body, force, build_metadata(now, updated=now)))

    async def update(self, role: str, body: Fields, *, force: bool = False) -> Mapping[str, Any]:
        """Replace an existing role and return it. Raises `DocumentNotFound`, and what `check` raises."""
        now = self._clock()
        document = self._document(role, body, force, build_metadata(now, updated=now))
        try:
            return await self._roles.update(role, lambda _: document)
        except DocumentMissing:
            raise errors.DocumentNotFound(id=role, index="kuzzle", collection=COLLECTION) from None

    async def delete(self, role: str, *, used: bool = False) -> None:
        """Delete a role that no profile uses. Raises `RoleProtected`, `RoleNotFound`, `RoleInUse`."""
        if role in PROTECTED_IDS:
            raise errors.RoleProtected
        self.find(role)
        if used:
            raise errors.RoleInUse(role=role)
        await self._roles.delete(role)

    async def reset(self) -> None:
        """Delete all other roles, and let the protected roles allow all actions, as on the first start."""
        for role in [each for each in self._roles if each not in PROTECTED_IDS]:
            await self.delete(role)
        for role in PROTECTED_IDS:
            await self.replace(role, {"controllers": ALL_ACTIONS})

    async def restrict(self) -> None:
        """Give the protected roles the rights that they have once the host has an administrator."""
        for role, controllers in RESTRICTED_ROLES.items():
            await self.replace(role, {"controllers": controllers})

    def _document(self, role: str, body: Fields, force: bool, metadata: Fields) -> Fields:
        self.check(role, body, force=force)
        return {**strip_metadata(body), METADATA: metadata}

    def _note(self, change: events.Change, role: str) -> None:
        self._observers.note(events.RoleChanged(change=change, target=role))

    def _changed(self) -> None:
        for callback in self.on_change:
            callback()

    def check(self, role: str, body: Fields, *, force: bool = False) -> None:
        """Raise the error of the first member, in the order of the document, that a role may not have.

        With `force`, a role may allow actions of controllers that are unknown or declared in the settings.
        """
        controllers = _read_members(body, "controllers", f"{role}.controllers")
        for controller, entry in controllers.items():
            if not is_object(entry):
                raise errors.InvalidType(argument=controller, expected="object")
            if not entry:
                raise errors.EmptyArgument(argument=controller)
            if "actions" not in entry:
                raise errors.MissingArgument(argument=controller)
            actions = _read_members(entry, "actions", f"{controller}.actions")
            for action, right in actions.items():
                if not isinstance(right, bool):
                    raise errors.InvalidType(argument=f"{controller}.actions.{action}", expected="boolean")
            self._check_names(role, controller, actions, force)
        if role == "anonymous" and not rights.role_allows(controllers, "auth", "login"):
            raise errors.AnonymousLoginRequired

    def _check_names(self, role: str, controller: str, actions: Fields, force: bool) -> None:
        known = (frozenset[str](), True) if controller == "*" else self._known_actions(controller)
        if known is None:
            if not force:
                raise errors.UnknownControllerInRole(role=role, controller=controller, hint="")
            return
        names, own = known
        for action in actions:
            if action != "*" and action not in names and (own or not force):
                raise errors.UnknownActionInRole(role=role, action=action, controller=controller, hint="")


def _read_members(fields: Fields, name: str, argument: str) -> Fields:
    """Return a member that must be an object and not empty."""
    value = fields.get(name, {})
    if value is None and name == "controllers":
        raise errors.MissingArgument(argument=argument)
    if not is_object(value):
        raise errors.InvalidType(argument=argument, expected="object")
    if not value:
        raise errors.EmptyArgument(argument=argument)
    return value
