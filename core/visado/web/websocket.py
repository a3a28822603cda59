"""The WebSocket end: many requests on one socket, answered in any order, each in its own envelope."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Hashable
from typing import Any, Final

from starlette.types import Receive, Scope, Send
from typing_extensions import override

from visado import codec, errors
from visado.codec import is_object
from visado.host import now
from visado.pipeline import Pipeline
from visado.request import Connection, Malformed, Reply, Request, Response, from_payload, new_id
from visado.security.rate_limits import RateLimits
from visado.security.tokens.connections import Connections
from visado.settings.loading import Settings
from visado.settings.sections import HttpSection, LimitsSection, ServerSection
from visado.web import origins
from visado.web.cache import PLAIN_ID, ResponseCache

_log = logging.getLogger("visado.websocket")
_AT_ONCE: Final = 64
_SLOWEST: Final = 10.0
_LINGER: Final = 1.0
_GOING_AWAY: Final = 1001
_SHORT: Final = 4_096
_ID: Final = re.compile(rf'"requestId"\s*:\s*"({PLAIN_ID})"'.encode())
_PING: Final = {"p": 1}
_PONG: Final = b'{"p":2}'


class WebSocketEnd:
    """ResponseCache WebSocket messages; an ASGI application."""

    def __init__(
        self, pipeline: Pipeline, cache: ResponseCache, links: Connections, settings: Settings, node: str
    ) -> None:
        self._pipeline, self._cache, self._links, self._node = pipeline, cache, links, node
        self._limits, self._http = settings[LimitsSection], settings[HttpSection]
        self._public_url = settings[ServerSection].public_url
        self._sockets: set[Socket] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket until it closes."""
        await receive()
        headers = origins.headers_of(scope)
        cookie = origins.auth_cookie(headers)
        socket = origins.connect(Socket, scope, headers, self._public_url)
        foreign = not socket.same_origin and socket.origin not in self._http.cookie_origins
        if cookie is not None and foreign:
            await send({"type": "websocket.close", "code": 1008})  # before the handshake: 403
            return
        socket.begin(self._pipeline, self._cache, self._links, self._limits, self._node, cookie, send)
        await send({"type": "websocket.accept"})
        self._sockets.add(socket)
        try:
            await socket.serve(receive)
        finally:
            self._sockets.discard(socket)
            self._links.unlink(socket)

    async def close(self) -> None:
        """Let every socket answer what it was asked, then close it."""
        await asyncio.gather(*(socket.close(_GOING_AWAY) for socket in list(self._sockets)))


class Socket(Connection):
    """One WebSocket: reads messages, runs their requests side by side, writes the answers."""

    def begin(
        self,
        pipeline: Pipeline,
        cache: ResponseCache,
        links: Connections,
        limits: LimitsSection,
        node: str,
        cookie: str | None,
        send: Send,
    ) -> None:
        """Make ready to serve."""
        self._pipeline, self._cache, self._links, self._limits = pipeline, cache, links, limits
        self._node, self._cookie, self._send = node, cookie, send
        self._kind = (self.loopback, self.secure, self.origin, self.same_origin, cookie)
        self._rates = RateLimits(now)
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def serve(self, receive: Receive) -> None:
        """Read messages until the socket closes."""
        try:
            while (message := await receive())["type"] == "websocket.receive":
                data: bytes = message.get("bytes") or (message.get("text") or "").encode()
                if not data:
                    continue
                await self._hear(data)
        finally:
            self._closed = True
            for task in self._tasks:
                task.cancel()

    async def _hear(self, data: bytes) -> None:
        """CachedResponse at once what was answered before, and begin to answer everything else."""
        rate = self._limits.messages_per_second
        if rate and not self._rates.admit(self.id, rate):
            refused = Response(new_id(), Reply(None), errors.SocketRateLimitExceeded())
            return await self._write(codec.encode(refused.envelope(self._node)))
        request_id, key = self._told_apart(data)
        if key is not None:
            answer = self._cache.find(key)
            if answer is not None and self._links.holds(self, answer.token_id):
                return await self._write(answer.body(request_id))
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
                key = None  # what was found is something else, further inside
        await self._places.acquire()
        self._begin(self._answer(payload, key))
        return None

    def _told_apart(self, data: bytes) -> tuple[str, Hashable]:
        """Split a message, unread, into the id of its request and all that tells it from others; None if that fails."""
        if b"\\" in data or len(data) > _SHORT:
            return "", None
        named = data.count(b"requestId")
        if not named:
            return new_id(), (self._kind, data)
        found = _ID.search(data) if named == 1 else None
        if found is None:
            return "", None
        return found[1].decode(), (self._kind, data[: found.start(1)], data[found.end(1) :])

    def _begin(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, payload: Any, key: Hashable) -> None:
        try:
            await self._write(await self._reply(payload, key))
        finally:
            self._places.release()

    async def _reply(self, payload: Any, key: Hashable) -> bytes:
        version = self._cache.version
        response = await self._pipeline.run(self._decode(payload))
        try:
            data = self._encode(response)
        except Exception:  # what a plugin returned is no JSON
            _log.exception("%r: the answer cannot be written", response.request)
            return self._encode(response.failed())
        if key is not None and self._cache.again(key):
            self._cache.keep(key, response, data, [], version, named=2)
        return data

    async def _decode(self, payload: Any) -> Request:
        if not is_object(payload):
            cause = str(payload) if isinstance(payload, ValueError) else "a request is an object"
            raise Malformed(errors.UnexpectedWebSocketError(cause=cause), new_id())
        request = from_payload(payload, self)
        request.cookie = self._cookie
        return request

    def _encode(self, response: Response) -> bytes:
        room = {"room": response.request_id} if response.request is not None else {}
        if response.reply.raw and response.error is None:
            result = response.reply.result
            return codec.encode(result | room if is_object(result) else result)
        return codec.encode(response.envelope(self._node) | room)

    async def _write(self, data: bytes) -> None:
        """Write a message, whole. Who reads too slowly is let go by the socket itself (`server`)."""
        if self._closed:
            return
        try:
            await self._send({"type": "websocket.send", "text": data.decode()})
        except (OSError, RuntimeError):  # it closed meanwhile
            self._closed = True

    @override
    def expired(self) -> None:
        note = {
            "status": 200,
            "info": "This is an automated server notification",
            "message": "Authentication Token Expired",
            "type": "TokenExpired",
            "node": self._node,
            "room": "kuzzle:notification:server",
        }
        self._begin(self._write(codec.encode(note)))

    async def close(self, code: int) -> None:
        """Finish what was asked, then close."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_SLOWEST)
        await self._shut(code)

    async def _shut(self, code: int) -> None:
        self._closed = True
        with contextlib.suppress(OSError, RuntimeError):  # a TimeoutError is an OSError
            async with asyncio.timeout(_LINGER):
                await self._send({"type": "websocket.close", "code": code})
