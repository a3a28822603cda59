"""Actions: what they are, how a controller declares them, and the table that everything else is read from."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, TypeVar, cast, get_type_hints

from visado import errors, kuzzle
from visado.arguments import Parameter, parameters
from visado.request import Request

Verb = Literal["GET", "POST", "PUT", "DELETE"]
Handler = Callable[..., Awaitable[Any]]
F = TypeVar("F", bound=Handler)


@dataclass(frozen=True, slots=True)
class Route:
    """A verb and a path, such as `/users/:_id`. An unlisted route works, but `publicApi` does not name it."""

    verb: Verb
    path: str
    listed: bool = True
    deprecated: bool = False


def get(path: str, *, deprecated: bool = False) -> Route:
    """Answer GET."""
    return Route("GET", path, deprecated=deprecated)


def post(path: str, *, listed: bool = True, deprecated: bool = False) -> Route:
    """Answer POST."""
    return Route("POST", path, listed, deprecated)


def put(path: str, *, deprecated: bool = False) -> Route:
    """Answer PUT."""
    return Route("PUT", path, deprecated=deprecated)


def delete(path: str, *, deprecated: bool = False) -> Route:
    """Answer DELETE."""
    return Route("DELETE", path, deprecated=deprecated)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What `@action` notes on a method."""

    routes: tuple[Route, ...]
    cookie: Literal["verified", "optional", "ignored"]
    extension: bool
    cacheable: bool


_MARK: Final = "__visado_action__"


def action(
    *routes: Route,
    cookie: Literal["verified", "optional", "ignored"] = "verified",
    extension: bool = False,
    cacheable: bool = False,
) -> Callable[[F], F]:
    """Make a method an action: its name in camelCase is the action's, its signature the arguments.

    `cookie` says what a bad `authToken` cookie means: a refusal, nothing (`optional`: the request then goes
    on as anonymous), or that the cookie is not looked at (`ignored`). `own` marks an action of the host's that the
    wire contract does not have. The answer of a `pure` action follows from the request and from what the host's storage
    keeps, and from nothing else: it may be remembered until that changes.
    """

    def mark(handler: F) -> F:
        setattr(handler, _MARK, Declaration(routes, cookie, extension, cacheable))
        return handler

    return mark


class Controller:
    """A group of actions under one name. Two classes may share the name, but not an action."""

    name: ClassVar[str]
    plugin: str = ""
    """The plugin that brings it; the host fills it in."""

    def actions(self) -> Iterator[Action]:
        """Every action, in the order of declaration."""
        for cls in reversed(type(self).__mro__):
            for name, member in vars(cls).items():
                declared = getattr(member, _MARK, None)
                if declared is not None:
                    yield _build(self, name, member, declared)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a client can ask for."""

    controller: str
    name: str
    routes: tuple[Route, ...]
    parameters: tuple[Parameter, ...]
    handler: Handler = field(repr=False)
    doc: str = ""
    returns: Any = None
    cookie: Literal["verified", "optional", "ignored"] = "verified"
    source: str = ""
    plugin: str = ""
    extension: bool = False
    cacheable: bool = False
    id: str = field(init=False)
    """The action as permissions, commands and documents name it: `auth:login`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", f"{self.controller}:{self.name}")

    async def __call__(self, request: Request) -> Any:
        """Read the arguments from the request and run the action."""
        return await self.handler(request, **{each.name: each.read(request) for each in self.parameters})


def _build(controller: Controller, name: str, member: Handler, declared: Declaration) -> Action:
    return Action(
        controller=controller.name,
        name=kuzzle.action_name(name),
        routes=declared.routes,
        parameters=parameters(member),
        handler=cast("Handler", getattr(controller, name)),
        doc=inspect.cleandoc(member.__doc__ or ""),
        returns=get_type_hints(member, include_extras=True).get("return"),
        cookie=declared.cookie,
        source=f"{type(controller).__module__}.{type(controller).__qualname__}.{name}",
        plugin=controller.plugin,
        extension=declared.extension,
        cacheable=declared.cacheable,
    )


class ActionTable:
    """Every action of the host, but of plugins that are `off`.

    Routes, permissions, OpenAPI and commands are read from here.
    """

    def __init__(self, controllers: Iterable[Controller], unavailable: AbstractSet[str] = frozenset()) -> None:
        self.unavailable = unavailable
        self._actions: dict[str, dict[str, Action]] = {}
        for controller in controllers:
            for each in controller.actions():
                other = self._actions.setdefault(each.controller, {}).setdefault(each.name, each)
                if other is not each:
                    raise ValueError(f"the action {each.id} is declared by {other.source} and by {each.source}")
        routes: dict[tuple[str, str], Action] = {}
        for each in self:
            for route in each.routes:
                other = routes.setdefault((route.verb, route.path), each)
                if other is not each:
                    raise ValueError(f"{route.verb} {route.path} is a route of {other.source} and of {each.source}")

    def __iter__(self) -> Iterator[Action]:
        return (each for controller in self._actions for each in self._of(controller))

    def _of(self, controller: str) -> list[Action]:
        return [each for each in self._actions.get(controller, {}).values() if each.plugin not in self.unavailable]

    def __contains__(self, controller: str) -> bool:
        return bool(self._of(controller))

    def get(self, controller: str | None, name: str | None) -> Action | None:
        """The action of this name, be its plugin off or not, or None."""
        return self._actions.get(controller or "", {}).get(name or "")

    def names(self, controller: str) -> frozenset[str]:
        """The actions of a controller; none where it does not exist."""
        return frozenset(each.name for each in self._of(controller))

    def find(self, controller: str, name: str) -> Action:
        """The action of this name. Raises `ControllerNotFound` or `ActionNotFound`."""
        actions = self._actions.get(controller)
        if actions is None:
            raise errors.ControllerNotFound(controller=controller)
        found = actions.get(name)
        if found is None or found.plugin in self.unavailable:
            if controller not in self:
                raise errors.ControllerNotFound(controller=controller)
            raise errors.ActionNotFound(controller=controller, action=name)
        return found

    def public(self) -> dict[str, dict[str, Any]]:
        """Describe the table in the shape of `server:publicApi`, from which clients choose their routes.

        Actions of our own stay out: official clients, and their tools, then see what they know.
        """
        return {
            controller: described
            for controller in self._actions
            if (described := {each.name: _describe(each) for each in self._of(controller) if not each.extension})
        }


def _describe(each: Action) -> dict[str, Any]:
    http = [{"path": route.path, "url": route.path, "verb": route.verb} for route in each.routes if route.listed]
    return {"action": each.name, "controller": each.controller} | ({"http": http} if http else {})
