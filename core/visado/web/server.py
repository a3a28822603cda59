"""The sockets under ASGI: uvicorn, with the time limits that it lacks, and a clean end."""

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
from visado.web.exchange import WHOLE

_LINGER: Final = 1.0


class Http(HttpToolsProtocol):
    """HTTP with limits: seconds and bytes for the headers, and requests sent ahead of their answers.

    The ASGI extension `WHOLE` writes an answer whose headers are bytes already, at once.
    """

    seconds: ClassVar[float] = 15
    largest: ClassVar[int] = 65_536
    ahead: ClassVar[int] = 32

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._began: float | None = self.loop.time()
        self._head = self._part = 0
        self._extensions: dict[str, dict[object, object]] = {WHOLE: {"send": self._send_whole}}
        self._looking = self.loop.call_later(self.seconds, self._look)

    def _look(self) -> None:
        """Close a connection whose headers take too long: a timer for all of its requests, since one for each costs."""
        left = self.seconds if self._began is None else self._began + self.seconds - self.loop.time()
        if left > 0:
            self._looking = self.loop.call_later(left, self._look)
        elif not self.transport.is_closing():
            self.transport.close()

    @override
    def data_received(self, data: bytes) -> None:
        self._part = len(data)
        super().data_received(data)
        if self._began is not None:  # the headers are not complete
            self._head += self._part
            if self._head > self.largest and not self.transport.is_closing():
                self.send_400_response("The headers are too large.")

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head, self._began = 0, self.loop.time()

    @override
    def on_headers_complete(self) -> None:
        if self._head + self._part > self.largest:
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if size > self.largest:  # the parser turns this into a 400, and closes
                raise ValueError("the headers are too large")
        if len(self.pipeline) >= self.ahead:
            raise ValueError("too many requests wait for their answers")
        self._began = None
        super().on_headers_complete()
        self.scope["extensions"] = self._extensions

    def _send_whole(self, head: bytes, body: bytes) -> bool:
        """Write an answer with status 200, unless something is in the way: then it is to be sent as any other."""
        cycle = self.cycle  # of this request, as nothing waits behind it
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
        self._looking.cancel()
        super().handle_websocket_upgrade()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._looking.cancel()
        self._extensions.clear()
        super().connection_lost(exc)


class WebSocket(WebSocketsSansIOProtocol):
    """A WebSocket that closes when nothing comes in for too long, frames of pings included, or nothing is read."""

    seconds: ClassVar[float] = 60
    slowest: ClassVar[float] = 10

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._heard, self._refused = self.loop.time(), False
        self._idle = self.loop.call_later(self.seconds, self._look)
        self._stuck: asyncio.TimerHandle | None = None

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck = self.loop.call_later(self.slowest, self._give_up)

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        self._unstick()

    def _unstick(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _give_up(self) -> None:
        """Let go of who does not read: the close frame stands behind what is unread, and does not wait for long."""
        if not self.transport.is_closing():
            self._leave()
        self._stuck = self.loop.call_later(_LINGER, self.transport.abort)

    def _leave(self) -> None:
        self.conn.send_close(1011)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()

    @override
    def data_received(self, data: bytes) -> None:
        self._heard = self.loop.time()
        if not self._refused:
            super().data_received(data)

    @override
    def handle_parser_exception(self) -> None:
        """Close on what is no message, but hear the sender out: what is unread would take the close frame along."""
        assert self.conn.close_sent is not None  # noqa: S101 - so says uvicorn
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = self._refused = True
        self.close_timer = self.loop.call_later(_LINGER, self.transport.close)

    def _look(self) -> None:
        left = self._heard + self.seconds - self.loop.time()
        if left > 0:
            self._idle = self.loop.call_later(left, self._look)
        elif not self.transport.is_closing():
            self._leave()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._idle.cancel()
        self._unstick()
        super().connection_lost(exc)


class Server(uvicorn.Server):
    """uvicorn that says goodbye before it closes, and ends with exit code 0 when it is asked to."""

    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], None], goodbye: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(config)
        self._ready, self._goodbye = ready, goodbye

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._goodbye()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(each, self.handle_exit, each, None)
        yield


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a line of uvicorn's log is about this side: a client that sends no UTF-8 is told, and that is all."""
    return not (record.exc_info and record.exc_info[0] is UnicodeDecodeError)


def configure(app: Any, settings: Settings) -> uvicorn.Config:
    """Set uvicorn up: no log of its own, one message at most as large as a body, no pings."""
    server, limits = settings[ServerSection], settings[LimitsSection]
    logging.getLogger("uvicorn.error").addFilter(_is_ours)
    http = type("Http", (Http,), {"seconds": limits.request_timeout})
    websocket = type("WebSocket", (WebSocket,), {"seconds": limits.idle_timeout})
    return uvicorn.Config(
        app,
        http=http,
        ws=websocket,
        ws_max_size=limits.request_size,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        date_header=True,
        access_log=False,  # its lines hold query strings; ours do not
        log_config=None,
        timeout_keep_alive=int(limits.idle_timeout),
        timeout_graceful_shutdown=int(server.shutdown_timeout),
    )


def listen(settings: Settings) -> socket.socket:
    """Take the address that the settings name. Raises `OSError`."""
    server = settings[ServerSection]
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    return socket.create_server((server.host, server.port), family=family, backlog=2_048)


def address(listening: socket.socket) -> str:
    """Write a listening socket's address as a URL."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
