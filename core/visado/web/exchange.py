"""One HTTP request and its answer: bytes and headers in, bytes and headers out, within the limits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import zlib
from collections.abc import Callable, Hashable
from typing import Any, Final, cast
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from visado import codec, errors
from visado.codec import is_object
from visado.request import Malformed, Response, new_id
from visado.settings.sections import HttpSection, LimitsSection
from visado.web import bodies, origins
from visado.web.cache import PLAIN_ID, CachedResponse, head_of

WHOLE: Final = "visado.whole"
"""An ASGI extension: `send(head, body)` writes an answer with status 200, or returns False where it cannot."""
_log = logging.getLogger("visado.http")
_RESERVED: Final = frozenset({"controller", "action", "jwt", "volatile", "body", "requestId"})
_PLAIN: Final = re.compile(PLAIN_ID)
_REQUEST_ID: Final = re.compile(r"[\x20-\x7e]{1,256}")
_SMALL: Final = 1_024
_MOST_ARGUMENTS: Final = 1_000
_LINGER: Final = 2.0
_ALLOWED_HEADERS: Final = (
    b"Content-Type, Access-Control-Allow-Headers, Authorization, X-Requested-With, Content-Encoding, "
    b"Content-Length, X-Kuzzle-Volatile"
)
_FIXED: Final = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"access-control-allow-headers", _ALLOWED_HEADERS),
    (b"access-control-allow-methods", b"GET,POST,PUT,PATCH,DELETE,OPTIONS,HEAD"),
    (b"accept-encoding", b"gzip,deflate,identity"),
]
_FIXED_HEAD: Final = head_of(_FIXED)


class Disconnected(Exception):
    """The client went away."""


class Exchange:
    """One HTTP request and its answer, in bytes and headers."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, limits: LimitsSection, http: HttpSection, node: str
    ) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self._limits, self._http, self._node = limits, http, node
        self.headers = origins.headers_of(scope)
        self.verb: str = scope["method"]
        self.path: bytes = scope["raw_path"].partition(b"?")[0]
        given = self.headers.get(b"x-kuzzle-request-id", b"").decode("latin-1")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else new_id()
        unsized = b"content-length" not in self.headers and b"transfer-encoding" not in self.headers
        self._whole = unsized and self.verb in ("GET", "HEAD")
        self._data: bytes | None = None
        self._until: float | None = None
        self.plain: tuple[Response, bytes, list[tuple[bytes, bytes]]] | None = None
        """The answer that was sent, unless it was packed: its body, and its own headers but for the request's id."""
        self.status = 0

    def malformed(self, error: errors.VisadoError, *, bare: bool = False) -> Malformed:
        """Refuse the request as it is."""
        return Malformed(error, self.request_id, bare=bare)

    async def read_body(self) -> Any:
        """Read the body within the limits of size and time. Raises `Malformed` with a bare error."""
        headers, limit = self.headers, self._limits.request_size
        known = headers.get(b"content-type", bodies.JSON) == bodies.JSON and b"content-encoding" not in headers
        if self._whole and self._data is None and known:
            return None
        try:
            media_type, encodings = bodies.check_headers(headers, limit)
            data = await self.read_data()
            return bodies.read(bodies.unpack(data, encodings, limit) if encodings else data, media_type)
        except errors.VisadoError as error:
            raise self.malformed(error, bare=True) from None
        except TimeoutError:
            raise self.malformed(
                errors.UnexpectedHttpError(cause="the body did not arrive in time"), bare=True
            ) from None

    async def read_data(self) -> bytes:
        """Read the body as it was sent, once. Raises `RequestTooLarge`, `TimeoutError`."""
        if self._data is None and self._whole:
            self._data = b""
        elif self._data is None:
            self._until = self._until or asyncio.get_running_loop().time() + self._limits.request_timeout
            async with asyncio.timeout_at(self._until):
                self._data = await self._collect(self._limits.request_size)
        return self._data

    async def _collect(self, limit: int) -> bytes:
        """Put the body together. Raises `RequestTooLarge` with the first byte over the limit."""
        parts: list[bytes] = []
        size = 0
        while not self._whole:
            parts.append(part := await self._part())
            size += len(part)
            if size > limit:
                raise errors.RequestTooLarge
        return b"".join(parts)

    async def _part(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        self._whole = not message.get("more_body", False)
        part: bytes = message.get("body", b"")
        return part

    @property
    def size(self) -> int:
        """Bytes of the address and the headers."""
        head = sum(len(name) + len(value) for name, value in self.scope["headers"])
        return len(self.path) + len(self.scope["query_string"]) + head

    def key(self) -> Hashable:
        """What tells this request from others, but for its id and its body; None where its id is in the way."""
        scope = self.scope
        headers = tuple(scope["headers"])
        if b"x-kuzzle-request-id" in self.headers:
            if not _PLAIN.fullmatch(self.request_id):
                return None
            headers = tuple(each for each in headers if each[0] != b"x-kuzzle-request-id")
        client = scope["client"][0] if scope.get("client") else None
        return self.verb, self.path, scope["query_string"], headers, client, scope["scheme"]

    def arguments(self) -> dict[str, Any]:
        """Read the query string; what a request reserves is never an argument, and never a token."""
        if not self.scope["query_string"]:
            return {}
        try:
            pairs = parse_qsl(
                self.scope["query_string"].decode("latin-1"),
                keep_blank_values=True,
                max_num_fields=_MOST_ARGUMENTS,
                errors="strict",
            )
        except ValueError:
            raise self.malformed(errors.UnexpectedHttpError(cause="the query string cannot be read")) from None
        return bodies.gather([pair for pair in pairs if pair[0] not in _RESERVED])

    def bearer(self) -> str | None:
        """Read the bearer token of the Authorization header."""
        scheme, _, text = self.headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        return text.rstrip() or None if scheme.lower() == "bearer" else None

    def volatile(self) -> dict[str, Any] | None:
        """Read the x-kuzzle-volatile header. Raises `Malformed`."""
        header = self.headers.get(b"x-kuzzle-volatile")
        if header is None:
            return None
        try:
            value = codec.decode(header)
        except ValueError as error:
            raise self.malformed(errors.VolatileParseFailed(cause=str(error))) from None
        if value is None or is_object(value):
            return value
        raise self.malformed(errors.InvalidType(argument="volatile", expected="object"))

    def smuggled(self) -> bool:
        """Whether a page of another site sent this as a form, which needs no permission of a browser."""
        if self.headers.get(b"sec-fetch-site") != b"cross-site" or self.verb in ("GET", "HEAD"):
            return False
        return not self.headers.get(b"content-type", b"").lower().startswith(bodies.JSON)

    async def send_response(self, response: Response) -> None:
        """Write the answer: an envelope, or what the action or the error wants instead."""
        reply, error = response.reply, response.error
        query = self.scope["query_string"]
        pretty = b"pretty" in query and "pretty" in dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        try:
            body = self._encode(response, pretty=pretty)
        except Exception:  # what a plugin returned is no JSON
            _log.exception("%r: the answer cannot be written", response.request)
            response = response.failed()
            reply, error = response.reply, response.error
            body = self._encode(response, pretty=pretty)
        own = [(b"content-type", bodies.JSON), *self._cross_origin()]
        if error is not None:
            own += _of_error(error)
        if not response.bare:
            own.append((b"x-kuzzle-node", self._node.encode()))
        for name, text in reply.headers.items():
            if name.lower() == "content-type":
                own[0] = (b"content-type", text.encode("latin-1"))
            elif name.lower() != "content-length":
                own.append((name.lower().encode(), text.encode("latin-1")))
        own += [(b"set-cookie", text.encode("latin-1")) for text in reply.cookies]
        packed, encoding = _packed(body, self.headers.get(b"accept-encoding", b"").decode("latin-1"))
        own.append((b"content-encoding", encoding))
        if packed is body:
            self.plain = response, body, own.copy()
        if not response.bare:
            own.append((b"x-kuzzle-request-id", self.request_id.encode("latin-1")))
        await self._write(response.status, own, packed)

    async def send_again(self, answer: CachedResponse) -> None:
        """Write an answer that was written before, to a request of another id."""
        request_id, body = self.request_id.encode("latin-1"), answer.body(self.request_id)
        own = b"x-kuzzle-request-id: %b\r\ncontent-length: %d\r\n" % (request_id, len(body))
        self.status, whole = 200, self._at_once()
        if whole is None or not whole(_FIXED_HEAD + answer.head + own, body):
            await self._write(200, [*answer.headers, (b"x-kuzzle-request-id", request_id)], body)

    def _at_once(self) -> Callable[[bytes, bytes], bool] | None:
        """What writes an answer with status 200 at once, where there is such a thing."""
        if not self._whole or self.verb == "HEAD" or WHOLE not in self.scope.get("extensions", ()):
            return None
        return cast("Callable[[bytes, bytes], bool]", self.scope["extensions"][WHOLE]["send"])

    def _encode(self, response: Response, *, pretty: bool) -> bytes:
        reply, error = response.reply, response.error
        if response.bare and error is not None:
            return codec.encode(error.as_dict(), pretty=pretty)
        if reply.raw and error is None:
            return reply.result.encode() if isinstance(reply.result, str) else codec.encode(reply.result, pretty=pretty)
        return codec.encode(response.envelope(self._node), pretty=pretty)

    async def _write(self, status: int, own: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Write an answer with what is its own of the headers."""
        self.status = status
        own.append((b"content-length", str(len(body)).encode()))
        whole = self._at_once() if status == 200 else None  # noqa: PLR2004
        if whole is not None:
            head = head_of(own)
            # A header with a line of its own is left to the server below, which refuses it.
            if head.count(b"\n") == head.count(b"\r") == len(own) and whole(_FIXED_HEAD + head, body):
                return
        headers = [*_FIXED, *own]
        if not self._whole:
            headers.append((b"connection", b"close"))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": not self._whole})
        if self._whole:
            return
        # Closing on a client that still sends would take the answer from it: let it finish, for a while.
        with contextlib.suppress(TimeoutError, Disconnected):
            async with asyncio.timeout(_LINGER):
                while not self._whole:
                    await self._part()
        await self._send({"type": "http.response.body", "body": b""})

    def _cross_origin(self) -> list[tuple[bytes, bytes]]:
        """Tell a browser whether the page may read the answer; with cookies only pages that we know."""
        origin = self.headers.get(b"origin")
        if origin is None:
            return []
        shown = origin.decode("latin-1")
        if shown in self._http.cookie_origins and self._http.cookie_auth:
            credentials = [(b"access-control-allow-credentials", b"true")]
            return [(b"access-control-allow-origin", origin), (b"vary", b"Origin"), *credentials]
        if "*" in self._http.allow_origins:
            return [(b"access-control-allow-origin", b"*")]
        allowed = shown in self._http.allow_origins
        return [(b"vary", b"Origin"), *([(b"access-control-allow-origin", origin)] if allowed else [])]


def _of_error(error: errors.VisadoError | None) -> list[tuple[bytes, bytes]]:
    """Say in the words of HTTP what a client can do about an error."""
    if isinstance(error, errors.TooManyRequests):
        return [(b"retry-after", b"1")]
    if isinstance(error, errors.InvalidToken):
        text = json.dumps(error.text.rstrip("."))
        return [(b"www-authenticate", f'Bearer error="invalid_token", error_description={text}'.encode())]
    if isinstance(error, errors.LoginRequired):
        return [(b"www-authenticate", b"Bearer")]
    return []


def _packed(body: bytes, accepted: str) -> tuple[bytes, bytes]:
    """Pack a body that is worth it, as the client prefers; gzip wins a tie."""
    if len(body) < _SMALL or not accepted:
        return body, b"identity"
    best, best_quality = "identity", -1.0
    for entry in accepted.lower().split(","):
        name, *options = (part.strip() for part in entry.split(";"))
        if name not in ("gzip", "deflate"):
            continue
        try:
            quality = next((float(option[2:]) for option in options if option.startswith("q=")), 0.001)
        except ValueError:
            quality = 0.0
        if quality > 0 and (quality > best_quality or (quality == best_quality and name == "gzip")):
            best, best_quality = name, quality
    if best == "identity":
        return body, b"identity"
    packer = zlib.compressobj(6, wbits=zlib.MAX_WBITS | 16 if best == "gzip" else zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush(), best.encode()
