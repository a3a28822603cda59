"""One HTTP request as it arrives: method, path and headers at once, the body when the pipeline asks for it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Hashable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from visado import codec, errors
from visado.controller import Action
from visado.kuzzle import from_payload
from visado.request import Connection, Malformed, Request, new_id
from visado.settings.sections import LimitsSection
from visado.web import bodies, request_headers
from visado.web.cache import PLAIN_ID
from visado.web.origins import Origins
from visado.web.routes import MATCH, ActionMatch, Routes, raw_path

_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"})
_RESERVED_ARGUMENTS: Final = frozenset({"controller", "action", "jwt", "volatile", "body", "requestId"})
_REQUEST_ID: Final = re.compile(r"[\x20-\x7e]{1,256}")
_PLAIN_REQUEST_ID: Final = re.compile(PLAIN_ID)
_MAX_ARGUMENTS: Final = 1_000


class Disconnected(Exception):
    """The client closed the connection before its request was complete."""


class Incoming:
    """One HTTP request. `path` is the raw path below the root path; `complete` says that the whole body has arrived."""

    def __init__(self, scope: Scope, receive: Receive, limits: LimitsSection) -> None:
        self.scope, self.receive, self._limits = scope, receive, limits
        self.headers: dict[bytes, bytes] = dict(scope["headers"])  # the last value of a name that stands twice
        self.method: str = scope["method"]
        self.root_path: str = scope.get("root_path", "")
        self.path = raw_path(scope)
        self.key: Hashable = None
        """The key of this request in the cache of whole responses; None for a request that is never cached."""
        sent_id = self.headers.get(b"x-kuzzle-request-id", b"").decode("latin-1")
        self.request_id = sent_id if _REQUEST_ID.fullmatch(sent_id) else new_id()
        has_body = b"content-length" in self.headers or b"transfer-encoding" in self.headers
        # Over HTTP/1.1 a request without these headers has no body; over HTTP/2 it may have one.
        is_http_1 = scope.get("http_version", "").startswith("1")
        self.complete = not has_body and (is_http_1 or self.method in ("GET", "HEAD"))
        self._data: bytes | None = None
        self._deadline: float | None = None

    @property
    def head_bytes(self) -> int:
        """The size of the path, the query string and the headers, in bytes."""
        names_and_values = sum(len(name) + len(value) for name, value in self.scope["headers"])
        return len(self.path) + len(self.scope["query_string"]) + names_and_values

    def refuse(self, error: errors.VisadoError, *, bare: bool = False) -> Malformed:
        """Return the exception that ends the request before it reaches an action. `bare` leaves the envelope out."""
        return Malformed(error, self.request_id, bare=bare)

    def key_of_head(self) -> Hashable:
        """Return all that distinguishes this request from others but its body and its id; None if the id is unusual."""
        scope = self.scope
        listed = tuple(scope["headers"])
        if b"x-kuzzle-request-id" in self.headers:
            if not _PLAIN_REQUEST_ID.fullmatch(self.request_id):
                return None
            listed = tuple(each for each in listed if each[0] != b"x-kuzzle-request-id")
        client = scope["client"][0] if scope.get("client") else None
        return self.method, self.root_path, self.path, scope["query_string"], listed, client, scope["scheme"]

    async def read_data(self) -> bytes:
        """Receive the body as it was sent, once. Raises `RequestTooLarge`, `TimeoutError`, `Disconnected`."""
        if self._data is None and self.complete:
            self._data = b""
        elif self._data is None:
            self._deadline = self._deadline or asyncio.get_running_loop().time() + self._limits.request_timeout
            async with asyncio.timeout_at(self._deadline):
                self._data = await self._collect(self._limits.request_size)
        return self._data

    async def read_body(self) -> Any:
        """Receive and decode the body; None where the request has none. Raises `Malformed` with a bare error."""
        limit = self._limits.request_size
        is_json = self.headers.get(b"content-type", request_headers.JSON) == request_headers.JSON
        if self.complete and self._data is None and is_json and b"content-encoding" not in self.headers:
            return None
        try:
            media_type, encodings = bodies.check_headers(self.headers, limit)
            data = await self.read_data()
            return bodies.read(bodies.decompress(data, encodings, limit) if encodings else data, media_type)
        except errors.VisadoError as error:
            raise self.refuse(error, bare=True) from None
        except TimeoutError:
            late = errors.UnexpectedHttpError(cause="the body did not arrive in time")
            raise self.refuse(late, bare=True) from None

    @property
    def raw_body(self) -> bytes:
        """The body as it was sent, once it was read; empty where the request has none."""
        return self._data or b""

    async def discard_body(self) -> None:
        """Receive the rest of the body and forget it. Raises `Disconnected`."""
        while not self.complete:
            await self._receive_part()

    async def _collect(self, limit: int) -> bytes:
        """Join the parts of the body. Raises `RequestTooLarge` with the first byte over the limit."""
        parts: list[bytes] = []
        size = 0
        while not self.complete:
            parts.append(part := await self._receive_part())
            size += len(part)
            if size > limit:
                raise errors.RequestTooLarge
        return b"".join(parts)

    async def _receive_part(self) -> bytes:
        message = await self.receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        self.complete = not message.get("more_body", False)
        part: bytes = message.get("body", b"")
        return part


async def read(incoming: Incoming, routes: Routes, origins: Origins) -> Request:
    """Make the request of the pipeline from an HTTP request. Raises `Malformed`."""
    body = await incoming.read_body()
    if incoming.method not in _METHODS:
        raise incoming.refuse(errors.UnsupportedVerb(verb=incoming.method))
    connection = origins.connect(Connection, incoming.scope, incoming.headers)
    connection.cross_site_form = request_headers.is_cross_site_form(incoming.method, connection)
    if request_headers.has_two_authorizations(incoming.scope["headers"], incoming.headers):
        raise incoming.refuse(errors.TwoTokens(cause="The header Authorization is present twice"))
    if incoming.method == "POST" and incoming.path == b"/_query":
        request = from_payload(body, connection, incoming.request_id)
        if request.jwt is None:  # the body's token wins, as on the wire
            request.jwt = request_headers.bearer_token(incoming.headers)
    else:
        match: ActionMatch | None = incoming.scope.get(MATCH) or routes.find(incoming.method, incoming.path)
        if match is None:
            shown = incoming.path.decode("latin-1").removesuffix("/") or "/"
            raise incoming.refuse(errors.UrlNotFound(path=shown))
        action, placeholders = match
        request = _request(incoming, connection, body, action, placeholders)
    request.cookie = request_headers.auth_cookie(connection)
    request.raw_body = incoming.raw_body
    return request


def _request(
    incoming: Incoming, connection: Connection, body: Any, action: Action, placeholders: Mapping[str, str]
) -> Request:
    if body is not None and not codec.is_object(body) and not codec.is_list(body):
        raise incoming.refuse(errors.InvalidType(argument="body", expected="object or array"))
    try:
        arguments, volatile = _arguments(incoming.scope["query_string"]), request_headers.volatile(incoming.headers)
    except errors.VisadoError as error:
        raise incoming.refuse(error) from None
    return Request(
        id=incoming.request_id,
        controller=action.controller,
        action=action.name,
        args={**arguments, **placeholders},
        body=body,
        volatile=volatile,
        jwt=request_headers.bearer_token(incoming.headers),
        textual=True,
        connection=connection,
    )


def _arguments(query_string: bytes) -> dict[str, Any]:
    """Read the query string; names that a request reserves never become arguments. Raises `UnexpectedHttpError`."""
    if not query_string:
        return {}
    try:
        pairs = parse_qsl(
            query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_ARGUMENTS, errors="strict"
        )
    except ValueError:
        raise errors.UnexpectedHttpError(cause="the query string cannot be read") from None
    return bodies.gather([pair for pair in pairs if pair[0] not in _RESERVED_ARGUMENTS])
