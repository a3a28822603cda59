"""The server under ASGI: uvicorn, with the limits that it lacks, and a clean end.

Reaches into protocol classes of uvicorn: `tests/core/web/test_server.py` names an attribute that a version lacks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Generator
from typing import Any, ClassVar, Final

import uvicorn
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from visado.settings.loading import Settings
from visado.settings.sections import LimitsSection, ServerSection
from visado.web.write import RAW_RESPONSE

_CLOSE_SECONDS: Final = 1.0
_INTERNAL_ERROR: Final = 1011
_BACKLOG: Final = 2_048


class HttpProtocol(HttpToolsProtocol):
    """HTTP with limits: seconds and bytes for the headers, and requests that wait for the response before theirs.

    Offers the ASGI extension `RAW_RESPONSE`, since uvicorn examines each header of each response anew.
    """

    header_seconds: ClassVar[float] = 15
    max_header_bytes: ClassVar[int] = 65_536
    max_pipelined_requests: ClassVar[int] = 32

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._headers_began: float | None = self.loop.time()
        self._head_bytes = self._chunk_bytes = 0
        self._extensions: dict[str, dict[object, object]] = {RAW_RESPONSE: {"write": self._write_response}}
        self._header_timer = self.loop.call_later(self.header_seconds, self._check_headers)

    def _check_headers(self) -> None:
        """Close a connection whose headers take too long. One timer serves all requests of a connection."""
        began = self._headers_began
        left = self.header_seconds if began is None else began + self.header_seconds - self.loop.time()
        if left > 0:
            self._header_timer = self.loop.call_later(left, self._check_headers)
        elif not self.transport.is_closing():
            self.transport.close()

    @override
    def data_received(self, data: bytes) -> None:
        self._chunk_bytes = len(data)
        super().data_received(data)
        if self._headers_began is not None:  # the headers are not complete
            self._head_bytes += self._chunk_bytes
            if self._head_bytes > self.max_header_bytes and not self.transport.is_closing():
                self.send_400_response("The headers are too large.")

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes, self._headers_began = 0, self.loop.time()

    @override
    def on_headers_complete(self) -> None:
        if self._head_bytes + self._chunk_bytes > self.max_header_bytes:
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if size > self.max_header_bytes:  # the parser turns this into a 400, and closes
                raise ValueError("the headers are too large")
        if len(self.pipeline) >= self.max_pipelined_requests:
            raise ValueError("too many requests wait for their responses")
        self._headers_began = None
        super().on_headers_complete()
        self.scope["extensions"] = self._extensions

    def _write_response(self, head: bytes, body: bytes) -> bool:
        """Write a response of status 200 at once. Return False where it has to go through ASGI."""
        cycle = self.cycle  # of this request, since no other waits behind it
        if self.pipeline or cycle.response_started or cycle.disconnected or not cycle.keep_alive:
            return False
        if cycle.flow.write_paused:
            return False
        cycle.response_started = cycle.response_complete = True
        parts = [b"HTTP/1.1 200 OK\r\n"]
        for name, value in cycle.default_headers:
            parts += (name, b": ", value, b"\r\n")
        cycle.transport.write(b"".join((*parts, head, b"\r\n", body)))
        cycle.message_event.set()
        cycle.on_response()
        return True

    @override
    def handle_websocket_upgrade(self) -> None:
        self._header_timer.cancel()
        super().handle_websocket_upgrade()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._header_timer.cancel()
        self._extensions.clear()
        super().connection_lost(exc)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket that closes when the client sends nothing for too long, pings included, or reads nothing."""

    idle_seconds: ClassVar[float] = 60
    slow_reader_seconds: ClassVar[float] = 10

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._last_received, self._is_refused = self.loop.time(), False
        self._idle_timer = self.loop.call_later(self.idle_seconds, self._check_idle)
        self._slow_timer: asyncio.TimerHandle | None = None

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self._slow_timer = self.loop.call_later(self.slow_reader_seconds, self._close_slow_reader)

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel_slow_timer()

    def _cancel_slow_timer(self) -> None:
        if self._slow_timer is not None:
            self._slow_timer.cancel()
            self._slow_timer = None

    def _close_slow_reader(self) -> None:
        """Close the socket of a client that does not read: the close frame is queued, and soon the connection ends."""
        if not self.transport.is_closing():
            self._close()
        self._slow_timer = self.loop.call_later(_CLOSE_SECONDS, self.transport.abort)

    def _close(self) -> None:
        self.conn.send_close(_INTERNAL_ERROR)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()

    @override
    def data_received(self, data: bytes) -> None:
        self._last_received = self.loop.time()
        if not self._is_refused:
            super().data_received(data)

    @override
    def handle_parser_exception(self) -> None:
        """Send the close frame for a malformed message, and keep receiving: unread data would discard that frame."""
        assert self.conn.close_sent is not None  # noqa: S101 - uvicorn calls this after it
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = self._is_refused = True
        self.close_timer = self.loop.call_later(_CLOSE_SECONDS, self.transport.close)

    def _check_idle(self) -> None:
        left = self._last_received + self.idle_seconds - self.loop.time()
        if left > 0:
            self._idle_timer = self.loop.call_later(left, self._check_idle)
        elif not self.transport.is_closing():
            self._close()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._idle_timer.cancel()
        self._cancel_slow_timer()
        super().connection_lost(exc)


class Server(uvicorn.Server):
    """uvicorn that calls `on_ready` when it listens, awaits `on_stop` before it closes, and then exits with code 0."""

    def __init__(
        self, config: uvicorn.Config, on_ready: Callable[[], None], on_stop: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(config)
        self._on_ready, self._on_stop = on_ready, on_stop

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._on_stop()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(each, self.handle_exit, each, None)
        yield


def _concerns_host(record: logging.LogRecord) -> bool:
    """Return whether a line of uvicorn's log is about the host: a client that sends no UTF-8 gets an answer instead."""
    return not (record.exc_info and record.exc_info[0] is UnicodeDecodeError)


def configure(app: Any, settings: Settings) -> uvicorn.Config:
    """Configure uvicorn: no log of its own, no pings, a message is at most as large as a body."""
    server, limits = settings[ServerSection], settings[LimitsSection]
    logging.getLogger("uvicorn.error").addFilter(_concerns_host)
    http = type("HttpProtocol", (HttpProtocol,), {"header_seconds": limits.request_timeout})
    websocket = type("WebSocketProtocol", (WebSocketProtocol,), {"idle_seconds": limits.idle_timeout})
    return uvicorn.Config(
        app,
        http=http,
        ws=websocket,
        ws_max_size=limits.request_size,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        lifespan="off",  # `cli.serve` runs the lifespan, so that it can say what is wrong
        proxy_headers=False,
        server_header=False,
        date_header=True,
        access_log=False,  # its lines hold query strings; ours do not
        log_config=None,
        timeout_keep_alive=int(limits.idle_timeout),
        timeout_graceful_shutdown=int(server.shutdown_timeout),
    )


def listen(settings: Settings) -> socket.socket:
    """Open the listening socket of `[server] host` and `port`. Raises `OSError`."""
    server = settings[ServerSection]
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    return socket.create_server((server.host, server.port), family=family, backlog=_BACKLOG)


def address(listening: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
