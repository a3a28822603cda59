"""The WebSocket endpoint: many requests on one socket, answered in any order, each in an envelope of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Final

from starlette.types import Receive, Scope, Send
from typing_extensions import override

from visado import codec, errors
from visado.codec import is_object
from visado.host import Clock
from visado.kuzzle import from_payload
from visado.pipeline import Pipeline
from visado.request import Connection, Malformed, Request, new_id
from visado.response import Reply, Response
from visado.security.rate_limits import RateLimits
from visado.security.tokens.connections import Connections
from visado.settings.loading import Settings
from visado.settings.sections import HttpSection, LimitsSection, ServerSection
from visado.web import request_headers
from visado.web.cache import PLAIN_ID, ResponseCache
from visado.web.origins import Origins

_log = logging.getLogger("visado.websocket")
_MAX_CONCURRENT_REQUESTS: Final = 64
_DRAIN_SECONDS: Final = 10.0
_FINISH_SECONDS: Final = 2.0
"""How long the requests of a socket go on after its client closed it."""
_CLOSE_SECONDS: Final = 1.0
_CLOSED_GOING_AWAY: Final = 1001
_CLOSED_POLICY: Final = 1008
_MAX_CACHED_MESSAGE_BYTES: Final = 4_096
_REQUEST_ID: Final = re.compile(rf'"requestId"\s*:\s*"({PLAIN_ID})"'.encode())
_PING: Final = {"p": 1}
_PONG: Final = b'{"p":2}'


@dataclass(frozen=True, slots=True)
class _Parts:
    """What every socket uses."""

    pipeline: Pipeline
    cache: ResponseCache
    connections: Connections
    limits: LimitsSection
    node: str
    clock: Clock


class WebSocketEndpoint:
    """Serves the WebSockets of the API, whatever their path; an ASGI application."""

    def __init__(
        self,
        pipeline: Pipeline,
        cache: ResponseCache,
        connections: Connections,
        settings: Settings,
        node: str,
        clock: Clock,
    ) -> None:
        self._parts = _Parts(pipeline, cache, connections, settings[LimitsSection], node, clock)
        self._cookie_origins, server = settings[HttpSection].cookie_origins, settings[ServerSection]
        self._origins = Origins(server.public_url, server.trusted_proxies)
        self._sockets: set[Socket] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket until it closes."""
        await receive()
        sent_headers = dict[bytes, bytes](scope["headers"])
        socket = self._origins.connect(Socket, scope, sent_headers)
        if request_headers.has_two_authorizations(scope["headers"], sent_headers):
            await send({"type": "websocket.close", "code": _CLOSED_POLICY})
            return
        cookie = request_headers.auth_cookie(socket)
        if cookie is not None and not socket.same_origin and socket.origin not in self._cookie_origins:
            await send({"type": "websocket.close", "code": _CLOSED_POLICY})  # before the handshake: 403
            return
        socket.prepare(self._parts, cookie, send)
        await send({"type": "websocket.accept"})
        self._sockets.add(socket)
        try:
            await socket.serve(receive)
        finally:
            self._sockets.discard(socket)
            self._parts.connections.unlink(socket)

    async def close(self) -> None:
        """Let every socket answer the requests that it has received, then close it."""
        await asyncio.gather(*(socket.close(_CLOSED_GOING_AWAY) for socket in list(self._sockets)))


class Socket(Connection):
    """One WebSocket: reads messages, runs their requests concurrently, writes the responses."""

    def prepare(self, parts: _Parts, cookie: str | None, send: Send) -> None:
        """Give the socket what it needs to serve. `cookie` is the token of the upgrade request's cookie."""
        self._pipeline, self._cache, self._connections = parts.pipeline, parts.cache, parts.connections
        self._limits, self._node, self._cookie, self._send = parts.limits, parts.node, cookie, send
        upgrade = parts.cache.digest_upgrade(self)
        self._origin_key = (self.loopback, self.secure, self.origin, self.same_origin, cookie, upgrade)
        self._rates = RateLimits(parts.clock)
        self._slots = asyncio.Semaphore(_MAX_CONCURRENT_REQUESTS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def serve(self, receive: Receive) -> None:
        """Read messages until the socket closes."""
        try:
            while (message := await receive())["type"] == "websocket.receive":
                data: bytes = message.get("bytes") or (message.get("text") or "").encode()
                if data:
                    await self._handle(data)
            self._closed = True
            if self._tasks:  # what was received counts, such as the logout of a page that closes
                await asyncio.wait(self._tasks, timeout=_FINISH_SECONDS)
        finally:
            self._closed = True
            for task in self._tasks:
                task.cancel()

    async def _handle(self, data: bytes) -> None:
        """Answer a message from the cache, or start to run its request."""
        rate = self._limits.messages_per_second
        if rate and not self._rates.admit(self.id, rate):
            refused = Response(new_id(), Reply(None), errors.SocketRateLimitExceeded())
            return await self._write(codec.encode(refused.envelope(self._node)))
        request_id, key = self._split(data)
        if key is not None:
            cached = self._cache.ask(key)
            if cached is not None and self._connections.holds(self, cached.token_id):
                return await self._write(cached.body(request_id))
        try:
            payload = codec.decode(data)
        except ValueError as error:
            payload = error
        if payload == _PING:
            return await self._write(_PONG)
        if key is not None and is_object(payload):
            if b"requestId" not in data:
                payload["requestId"] = request_id
            elif payload.get("requestId") != request_id:
                key = None  # the id that was found belongs to an inner object
        await self._slots.acquire()
        self._start(self._answer(payload, key, data))
        return None

    def _split(self, data: bytes) -> tuple[str, Hashable]:
        """Return the request's id and a cache key of the rest, without decoding; no key where that is impossible."""
        if b"\\" in data or len(data) > _MAX_CACHED_MESSAGE_BYTES:
            return "", None
        ids = data.count(b"requestId")
        if not ids:
            return new_id(), (self._origin_key, data)
        match = _REQUEST_ID.search(data) if ids == 1 else None
        if match is None:
            return "", None
        return match[1].decode(), (self._origin_key, data[: match.start(1)], data[match.end(1) :])

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, payload: Any, key: Hashable, data: bytes) -> None:
        try:
            version = self._cache.version
            response = await self._pipeline.run(self._read(payload, data))
            body, response = self._encode(response)
            if key is not None:
                self._cache.remember(key, version, response, body, [], ids_in_envelope=2)
            await self._write(body)
        finally:
            self._slots.release()

    async def _read(self, payload: Any, data: bytes) -> Request:
        if not is_object(payload):
            cause = str(payload) if isinstance(payload, ValueError) else "a request is an object"
            raise Malformed(errors.UnexpectedWebSocketError(cause=cause), new_id())
        request = from_payload(payload, self)
        request.cookie, request.raw_body = self._cookie, data
        return request

    def _encode(self, response: Response) -> tuple[bytes, Response]:
        try:
            return self._encoded(response), response
        except Exception:  # a plugin returned something that JSON cannot write
            _log.exception("%r: the result cannot be written as JSON", response.request)
            response = response.failed()
            return self._encoded(response), response

    def _encoded(self, response: Response) -> bytes:
        room = {"room": response.request_id} if response.request is not None else {}
        if response.reply.raw and response.error is None:
            result = response.reply.result
            return codec.encode(result | room if is_object(result) else result)
        return codec.encode(response.envelope(self._node) | room)

    async def _write(self, data: bytes) -> None:
        """Write a message, whole. The server closes a socket whose client reads too slowly (`web.server`)."""
        if self._closed:
            return
        try:
            await self._send({"type": "websocket.send", "text": data.decode()})
        except (OSError, RuntimeError):  # the socket closed meanwhile
            self._closed = True

    @override
    def expired(self) -> None:
        notification = {
            "status": 200,
            "info": "This is an automated server notification",
            "message": "Authentication Token Expired",
            "type": "TokenExpired",
            "node": self._node,
            "room": "kuzzle:notification:server",
        }
        self._start(self._write(codec.encode(notification)))

    async def close(self, code: int) -> None:
        """Answer the requests that were received, then close with a code of the WebSocket protocol."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_DRAIN_SECONDS)
        self._closed = True
        with contextlib.suppress(OSError, RuntimeError):  # a TimeoutError is an OSError
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._send({"type": "websocket.close", "code": code})
