"""Roles: which actions they allow, checked against the action table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from visado import errors, events
from visado.codec import is_object
from visado.host import Clock
from visado.request import Fields
from visado.security.documents import INFO, Kept, content, info
from visado.security.observers import Observers
from visado.security.rights import rights
from visado.storage.protocol import DocumentExists, DocumentMissing, Storage
from visado.storage.query import Page, Query

PROTECTED: Final = ("anonymous", "default", "admin")
EVERYTHING: Final[Fields] = {"*": {"actions": {"*": True}}}
RESTRICTED: Final[Mapping[str, Fields]] = {
    "admin": EVERYTHING,
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
COLLECTION: Final = "roles"

Known = Callable[[str], tuple[frozenset[str], bool] | None]
"""The actions of a controller and whether it is the host's own, or None where nobody knows it."""


class Roles:
    """Every role, in memory as in the storage."""

    def __init__(self, storage: Storage, clock: Clock, known: Known, observers: Observers) -> None:
        self._clock, self._known, self._observers = clock, known, observers
        self.on_change: list[Callable[[], None]] = []
        self._roles = Kept(storage, COLLECTION, self._changed, self._note)

    async def open(self) -> None:
        """Load every role; on the first start, make the three that the host needs."""
        await self._roles.load()
        if not all(role in self._roles for role in PROTECTED):
            await self.reset()

    def __contains__(self, role: str) -> bool:
        return role in self._roles

    def find(self, role: str) -> Mapping[str, Any]:
        """The role of this id. Raises `RoleNotFound`."""
        found = self._roles.get(role)
        if found is None:
            raise errors.RoleNotFound(role=role)
        return found

    def controllers(self, role: str, *, loopback: bool) -> rights.Controllers:
        """What a role allows. Far away, the rights that the first start gives to everybody do not count."""
        allowed = self.find(role)["controllers"]
        if not loopback and role in ("anonymous", "default") and allowed == EVERYTHING:
            return RESTRICTED[role]
        return cast("rights.Controllers", allowed)

    async def search(self, query: Query) -> Page:
        """A page of roles."""
        return await self._roles.search(query)

    async def create(self, role: str, body: Fields, *, force: bool = False) -> Mapping[str, Any]:
        """Make a role. Raises `DocumentAlreadyExists`, and what `check` raises."""
        try:
            return await self._roles.create(role, self._document(role, body, force, info(self._clock())))
        except DocumentExists:
            raise errors.DocumentAlreadyExists from None

    async def replace(self, role: str, body: Fields, *, force: bool = False) -> Mapping[str, Any]:
        """Make a role, or put another in its place."""
        now = self._clock()
        return await self._roles.put(role, self._document(role, body, force, info(now, updated=now)))

    async def update(self, role: str, body: Fields, *, force: bool = False) -> Mapping[str, Any]:
        """Put another role in the place of this one, which must exist. Raises `DocumentNotFound`."""
        now = self._clock()
        document = self._document(role, body, force, info(now, updated=now))
        try:
            return await self._roles.update(role, lambda _: document)
        except DocumentMissing:
            raise errors.DocumentNotFound(id=role, index="kuzzle", collection=COLLECTION) from None

    async def delete(self, role: str, *, used: bool = False) -> None:
        """Forget a role. Raises `RoleProtected`, `RoleNotFound`, `RoleInUse`."""
        if role in PROTECTED:
            raise errors.RoleProtected
        self.find(role)
        if used:
            raise errors.RoleInUse(role=role)
        await self._roles.delete(role)

    async def reset(self) -> None:
        """Go back to the first start: three roles that allow everything."""
        for role in [each for each in self._roles if each not in PROTECTED]:
            await self.delete(role)
        for role in PROTECTED:
            await self.replace(role, {"controllers": EVERYTHING})

    async def restrict(self) -> None:
        """Close the host: give the three roles the rights that they have once there is an administrator."""
        for role, controllers in RESTRICTED.items():
            await self.replace(role, {"controllers": controllers})

    def _document(self, role: str, body: Fields, force: bool, note: Fields) -> Fields:
        self.check(role, body, force=force)
        return {**content(body), INFO: note}

    def _note(self, change: events.Change, role: str) -> None:
        self._observers.note(events.RoleChanged(change=change, target=role))

    def _changed(self) -> None:
        for hear in self.on_change:
            hear()

    def check(self, role: str, body: Fields, *, force: bool = False) -> None:
        """Raise unless a role may look like this; the first failure in the document's order wins."""
        controllers = _members(body, "controllers", f"{role}.controllers")
        for controller, entry in controllers.items():
            if not is_object(entry):
                raise errors.InvalidType(argument=controller, expected="object")
            if not entry:
                raise errors.EmptyArgument(argument=controller)
            if "actions" not in entry:
                raise errors.MissingArgument(argument=controller)
            actions = _members(entry, "actions", f"{controller}.actions")
            for action, right in actions.items():
                if not isinstance(right, bool):
                    raise errors.InvalidType(argument=f"{controller}.actions.{action}", expected="boolean")
            self._check_names(role, controller, actions, force)
        if role == "anonymous" and not rights.allows(controllers, "auth", "login"):
            raise errors.AnonymousLoginRequired

    def _check_names(self, role: str, controller: str, actions: Fields, force: bool) -> None:
        known = (frozenset[str](), True) if controller == "*" else self._known(controller)
        if known is None:
            if not force:
                raise errors.UnknownControllerInRole(role=role, controller=controller, hint="")
            return
        names, own = known
        for action in actions:
            if action != "*" and action not in names and (own or not force):
                raise errors.UnknownActionInRole(role=role, action=action, controller=controller, hint="")


def _members(fields: Fields, name: str, shown: str) -> Fields:
    """Take an object that must be there and hold something."""
    value = fields.get(name, {})
    if value is None and name == "controllers":
        raise errors.MissingArgument(argument=shown)
    if not is_object(value):
        raise errors.InvalidType(argument=shown, expected="object")
    if not value:
        raise errors.EmptyArgument(argument=shown)
    return value
