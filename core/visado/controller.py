"""Actions: how a controller declares them, and the table from which everything else is derived."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Final, Literal, TypeAlias, TypeVar, cast, get_type_hints

from visado import errors, kuzzle
from visado.arguments import Parameter, parameters
from visado.request import Request
from visado.response import Reply

Verb: TypeAlias = Literal["GET", "POST", "PUT", "DELETE"]
CookieUse: TypeAlias = Literal["verified", "optional", "ignored"]
RateLimit: TypeAlias = Literal["user", "login", "none"]
OpenTo: TypeAlias = Literal["anybody"] | None
ANYBODY: Final = "anybody"
"""The value of `open_to` for an action that every client may call."""
Handler: TypeAlias = Callable[..., Awaitable[Any]]
F = TypeVar("F", bound=Handler)


@dataclass(frozen=True, slots=True)
class Route:
    """A verb and a path, such as `GET /users/:_id`. An unlisted route works, but `server:publicApi` omits it."""

    verb: Verb
    path: str
    listed: bool = True
    deprecated: bool = False


def get(path: str, *, deprecated: bool = False) -> Route:
    """Return a route for GET requests."""
    return Route("GET", path, deprecated=deprecated)


def post(path: str, *, listed: bool = True, deprecated: bool = False) -> Route:
    """Return a route for POST requests."""
    return Route("POST", path, listed, deprecated)


def put(path: str, *, deprecated: bool = False) -> Route:
    """Return a route for PUT requests."""
    return Route("PUT", path, deprecated=deprecated)


def delete(path: str, *, deprecated: bool = False) -> Route:
    """Return a route for DELETE requests."""
    return Route("DELETE", path, deprecated=deprecated)


@dataclass(frozen=True, slots=True, eq=False)
class Declaration:
    """The arguments of `@action`."""

    routes: tuple[Route, ...]
    cookie: CookieUse
    rate_limit: RateLimit
    login_required: bool
    personal: bool
    open_to: OpenTo
    cacheable: bool
    extension: bool
    media_type: str | None
    responses: Mapping[int, str]
    example: Any


_MARK: Final = "__visado_action__"


def action(
    *routes: Route,
    cookie: CookieUse = "verified",
    rate_limit: RateLimit = "user",
    login_required: bool = False,
    personal: bool = False,
    open_to: OpenTo = None,
    cacheable: bool = False,
    extension: bool = False,
    media_type: str | None = None,
    responses: Mapping[int, str] | None = None,
    example: Any = None,
) -> Callable[[F], F]:
    """Make a method an action. Its name in camelCase is the action's name; its signature declares the arguments.

    Its docstring is the description in OpenAPI, in the reference and in the command's help.

    - `cookie`: how the `authToken` cookie is used. `verified`: an invalid cookie is refused. `optional`: a request with
      an invalid cookie continues as anonymous. `ignored`: the pipeline does not read the cookie.
    - `rate_limit`: which limit counts a request. `user`: the `rateLimit` of the user's profiles. `login`: the limit of
      logins per connection. `none`: no limit for users who have logged in, `user` for anonymous requests.
    - `login_required`: an anonymous request is refused with `LoginRequired`, after its arguments were read. Without it,
      the roles alone decide, and the anonymous user may have the right.
    - `personal`: only the user itself may call the action, and nobody who acts as the user.
    - `open_to`: `ANYBODY` allows the action to every client, unless `[security] closed_actions` contains it.
    - `cacheable`: the result depends only on the request and on the host's storage, and the action changes nothing. The
      host may answer an equal request from its cache until something is written.
    - `extension`: the action is not in the wire contract. `server:publicApi` omits it.
    - `media_type`: a plain result is sent without the envelope, as this media type.
    - `responses`: the meaning of HTTP statuses that only this action answers with, for OpenAPI.
    - `example`: a request body, for OpenAPI.
    """

    def mark(handler: F) -> F:
        options = (login_required, personal, open_to, cacheable, extension, media_type)
        declaration = Declaration(routes, cookie, rate_limit, *options, dict(responses or {}), example)
        setattr(handler, _MARK, declaration)
        return handler

    return mark


class Controller:
    """A group of actions under one name. Two classes may share the name, but not an action."""

    name: ClassVar[str]
    plugin: str = ""
    """The name of the plugin that registered the controller, set by the host. Empty for the host's own."""

    def actions(self) -> Iterator[Action]:
        """Yield every action, in the order of declaration."""
        for cls in reversed(type(self).__mro__):
            for name, member in vars(cls).items():
                declaration = getattr(member, _MARK, None)
                if declaration is not None:
                    yield _build(self, name, member, declaration)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Action(Declaration):
    """One operation that a client can request: its declaration, its parameters and the method that runs it."""

    controller: str
    name: str
    parameters: tuple[Parameter, ...]
    handler: Handler = field(repr=False)
    doc: str
    returns: Any
    source: str
    plugin: str
    id: str = field(init=False)
    """The name in permissions, commands and documents, such as `auth:login`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", f"{self.controller}:{self.name}")

    def arguments(self, request: Request) -> dict[str, Any]:
        """Return the handler's arguments, as the request has them. Raises the errors that `Parameter.read` raises."""
        return {each.name: each.read(request) for each in self.parameters}

    def reply(self, result: object) -> Reply:
        """Return the result of the handler as a `Reply`."""
        if isinstance(result, Reply):
            return result
        if self.media_type is None:
            return Reply(result)
        return Reply(result, headers={"Content-Type": self.media_type}, raw=True)


def _build(controller: Controller, name: str, member: Handler, declaration: Declaration) -> Action:
    declared: dict[str, Any] = {each.name: getattr(declaration, each.name) for each in fields(declaration)}
    return Action(
        **declared,
        controller=controller.name,
        name=kuzzle.action_name(name),
        parameters=parameters(member),
        handler=cast("Handler", getattr(controller, name)),
        doc=inspect.cleandoc(member.__doc__ or ""),
        returns=get_type_hints(member, include_extras=True).get("return"),
        source=f"{type(controller).__module__}.{type(controller).__qualname__}.{name}",
        plugin=controller.plugin,
    )


class ActionTable:
    """Every action of the host. Actions of the plugins in `unavailable`, which may change, cannot be run.

    Routes, permissions, OpenAPI and commands are derived from the table.
    """

    def __init__(
        self,
        controllers: Iterable[Controller],
        unavailable: AbstractSet[str] = frozenset(),
        closed: AbstractSet[str] = frozenset(),
    ) -> None:
        """Build the table. The actions `closed` need a right, whatever they declare.

        Raises `ValueError` for two actions of one id, or two actions with one route.
        """
        self.unavailable, self._closed = unavailable, closed
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
        """Return the action of this name, even of an unavailable plugin, or None."""
        return self._actions.get(controller or "", {}).get(name or "")

    def names(self, controller: str) -> frozenset[str]:
        """Return the names of a controller's actions; no names for an unknown controller."""
        return frozenset(each.name for each in self._of(controller))

    def find(self, controller: str, name: str) -> Action:
        """Return the action of this name. Raises `ControllerNotFound` or `ActionNotFound`."""
        actions = self._actions.get(controller)
        if actions is None:
            raise errors.ControllerNotFound(controller=controller)
        action = actions.get(name)
        if action is None or action.plugin in self.unavailable:
            if controller not in self:
                raise errors.ControllerNotFound(controller=controller)
            raise errors.ActionNotFound(controller=controller, action=name)
        return action

    def is_open(self, controller: str, name: str) -> bool:
        """Return whether every client may call an action, whatever the roles say."""
        action = self._actions.get(controller, {}).get(name)
        return (
            action is not None
            and action.open_to == ANYBODY
            and action.plugin not in self.unavailable
            and action.id not in self._closed
        )

    def is_personal(self, controller: str, name: str) -> bool:
        """Return whether only the user itself may call an action, and nobody who acts as the user."""
        action = self.get(controller, name)
        return action is not None and action.personal

    def public(self) -> dict[str, dict[str, Any]]:
        """Return the table in the shape of `server:publicApi`, from which clients choose their routes.

        Extensions are omitted, so that official clients and their tools see only actions that they know.
        """
        return {
            controller: described
            for controller in self._actions
            if (described := {each.name: _describe(each) for each in self._of(controller) if not each.extension})
        }


def _describe(each: Action) -> dict[str, Any]:
    http = [{"path": route.path, "url": route.path, "verb": route.verb} for route in each.routes if route.listed]
    return {"action": each.name, "controller": each.controller} | ({"http": http} if http else {})
