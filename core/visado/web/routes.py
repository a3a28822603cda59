"""From a method and a path to an action: by look-up, segment by segment, without backtracking.

Owns the routes of the action table, as one route of Starlette's. Does not own routes of plugins (`web.mounts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import quote, unquote_to_bytes

from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from visado.controller import Action, ActionTable

ActionMatch: TypeAlias = tuple[Action, dict[str, str]]
"""The action of a path, and the values of the path's placeholders."""
INCOMING: Final = "visado.incoming"
"""The key of the ASGI scope that holds the request as `web.read` has read it."""
MATCH: Final = "visado.match"
"""The key of the ASGI scope that holds the action of a path and the values of its placeholders."""


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict[str, "_Node"])
    placeholder: _Node | None = None
    ends: dict[str, tuple[Action, tuple[str, ...]]] = field(default_factory=dict[str, tuple[Action, tuple[str, ...]]])


class Routes:
    """The routes of the action table. A literal segment beats a placeholder."""

    def __init__(self, table: ActionTable) -> None:
        self._root = _Node()
        self._literal: dict[bytes, _Node] = {}  # paths without placeholders, whole
        for action in table:
            for route in action.routes:
                self._add(route.verb, route.path, action)

    def _add(self, method: str, path: str, action: Action) -> None:
        node, names = self._root, list[str]()
        for segment in _segments(path):
            if segment.startswith(":"):
                names.append(segment[1:])
                node.placeholder = node.placeholder or _Node()
                node = node.placeholder
            else:
                node = node.literals.setdefault(segment, _Node())
        node.ends[method] = (action, tuple(names))
        if not names:
            self._literal[path.encode()] = node

    def find(self, method: str, path: bytes) -> ActionMatch | None:
        """Return the action of a raw path and the values of its placeholders, or None. HEAD finds what GET finds."""
        method = "GET" if method == "HEAD" else method
        node, values = self._literal.get(path), list[str]()
        if node is None:
            node = self._walk(path, values)
        end = node.ends.get(method) if node is not None else None
        return (end[0], dict(zip(end[1], values, strict=True))) if end else None

    def _walk(self, path: bytes, values: list[str]) -> _Node | None:
        node = self._root
        try:
            segments = [unquote_to_bytes(segment).decode() for segment in _raw_segments(path)]
        except UnicodeDecodeError:
            return None
        for segment in segments:
            literal = node.literals.get(segment)
            if literal is not None:
                node = literal
            elif node.placeholder is not None and segment:
                node = node.placeholder
                values.append(segment)
            else:
                return None
        return node


def _segments(path: str) -> list[str]:
    return path.strip("/").split("/") if path != "/" else []


def _raw_segments(path: bytes) -> list[bytes]:
    """Split a path. One slash at its end is tolerated; an empty segment anywhere else makes another path."""
    trimmed = path.removeprefix(b"/")
    if trimmed.endswith(b"/"):
        trimmed = trimmed[:-1]
    return trimmed.split(b"/") if trimmed else []


class ActionRoute(BaseRoute):
    """All actions as one route of Starlette's: matching is a look-up in `Routes`, however many actions there are.

    A request that matches nothing goes to the router's default, which is the same endpoint: its answer is the
    protocol's own 404.
    """

    def __init__(self, table: ActionTable, routes: Routes, endpoint: ASGIApp) -> None:
        self._table, self._routes, self._endpoint = table, routes, endpoint

    @override
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        incoming = scope.get(INCOMING)
        match = self._routes.find(scope["method"], raw_path(scope) if incoming is None else incoming.path)
        return (Match.NONE, {}) if match is None else (Match.FULL, {"endpoint": self._endpoint, MATCH: match})

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint(scope, receive, send)

    @override
    def url_path_for(self, name: str, /, **path_params: str) -> URLPath:
        """Return the path of an action: `url_path_for("security:getUser", _id="melis")`."""
        for action in self._table:
            for route in action.routes if action.id == name else ():
                placeholders = {each[1:] for each in _segments(route.path) if each.startswith(":")}
                if placeholders == set(path_params):
                    segments = [
                        quote(path_params[each[1:]], safe="") if each[:1] == ":" else each
                        for each in _segments(route.path)
                    ]
                    return URLPath("/" + "/".join(segments), protocol="http")
        raise NoMatchFound(name, path_params)


class SocketRoute(WebSocketRoute):
    """A WebSocket of the API, whatever its path: the protocol has one endpoint for all sockets."""

    @override
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.FULL, {"endpoint": self.endpoint}) if scope["type"] == "websocket" else (Match.NONE, {})


_PATH_CHARACTERS: Final = "/:@!$&'()*+,;=~-._"


def sent_path(scope: Mapping[str, Any]) -> bytes:
    """Return the path as the client encoded it."""
    raw: bytes = scope.get("raw_path") or quote(scope["path"], safe=_PATH_CHARACTERS).encode()
    return raw.partition(b"?")[0]


def raw_path(scope: Scope) -> bytes:
    """Return the path as the client encoded it, below the root path under which the application is mounted.

    A path that does not lie below the root path, as behind a proxy that strips it, is returned whole.
    """
    path = sent_path(scope)
    root_path: str = scope.get("root_path", "")
    if not root_path:
        return path
    segments = path.split(b"/")
    depth = root_path.count("/") + 1
    if unquote_to_bytes(b"/".join(segments[:depth])) != root_path.encode():
        return path
    return b"/" + b"/".join(segments[depth:])
