"""The HTTP end: routes from the action table, requests in, envelopes out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import uuid
import zlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from visado import bodies, connection, errors, wire
from visado.controller import Action, ActionTable
from visado.pipeline import Pipeline
from visado.request import Connection, Malformed, Reply, Request, Response, from_payload
from visado.routing import Routes
from visado.sections import HttpSection, LimitsSection, ServerSection
from visado.settings import Settings
from visado.values import is_list, is_object

_log = logging.getLogger("visado.http")
_access = logging.getLogger("visado.access")
_VERBS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"})
_RESERVED: Final = frozenset({"controller", "action", "jwt", "volatile", "body", "requestId"})
_REQUEST_ID: Final = re.compile(r"[\x20-\x7e]{1,256}")
_SMALL: Final = 1_024
_MOST_ARGUMENTS: Final = 1_000
_LINGER: Final = 2.0
_ALLOWED_HEADERS: Final = (
    b"Content-Type, Access-Control-Allow-Headers, Authorization, X-Requested-With, Content-Encoding, "
    b"Content-Length, X-Kuzzle-Volatile"
)
_FIXED: Final = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"access-control-allow-headers", _ALLOWED_HEADERS),
    (b"access-control-allow-methods", b"GET,POST,PUT,PATCH,DELETE,OPTIONS,HEAD"),
    (b"accept-encoding", b"gzip,deflate,identity"),
]


class Disconnected(Exception):
    """The client went away."""


class HttpEnd:
    """Answers HTTP requests; an ASGI application."""

    def __init__(self, pipeline: Pipeline, table: ActionTable, settings: Settings, node: str) -> None:
        self._pipeline, self._routes, self._node = pipeline, Routes(table), node
        self._limits, self._http = settings[LimitsSection], settings[HttpSection]
        self._public_url = settings[ServerSection].public_url
        self._access_log = settings[ServerSection].access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope, receive, send, self._limits, self._http, self._node)
        with contextlib.suppress(Disconnected):
            await self._answer(exchange)
        if self._access_log:
            who = scope["client"][0] if scope.get("client") else "-"
            _access.info("%s %r %s", who, f"{exchange.verb} {exchange.path.decode('latin-1')}", exchange.status)

    async def _answer(self, exchange: Exchange) -> None:
        verb, path = exchange.verb, exchange.path
        if verb == "OPTIONS":
            await exchange.send_response(Response(exchange.request_id, Reply({})))
        elif verb in ("GET", "HEAD") and path in (b"/_healthcheck", b"/_ready"):
            up = path == b"/_healthcheck" or not self._pipeline.stopping
            await exchange.send_response(Response(exchange.request_id, Reply(None, 200 if up else 503)))
        else:
            await exchange.send_response(await self._pipeline.run(self._decode(exchange)))

    async def _decode(self, exchange: Exchange) -> Request:
        body = await exchange.read_body()
        verb = "GET" if exchange.verb == "HEAD" else exchange.verb
        if verb not in _VERBS:
            raise exchange.malformed(errors.UnsupportedVerb(verb=verb))
        link = connection.http_connection(exchange.scope, exchange.headers, self._public_url)
        if verb == "POST" and exchange.path == b"/_query":
            request = from_payload(body, link, exchange.request_id)
            request.jwt = exchange.bearer() if request.jwt is None else request.jwt
        else:
            found = self._routes.find(verb, exchange.path)
            if found is None:
                shown = exchange.path.decode("latin-1").removesuffix("/") or "/"
                raise exchange.malformed(errors.UrlNotFound(path=shown))
            request = self._request(exchange, link, body, *found)
        request.cookie = connection.auth_cookie(exchange.headers)
        if exchange.smuggled():
            raise exchange.malformed(errors.UnauthorizedOrigin(origin=link.origin))
        return request

    def _request(
        self, exchange: Exchange, link: Connection, body: Any, action: Action, values: Mapping[str, str]
    ) -> Request:
        if body is not None and not is_object(body) and not is_list(body):
            raise exchange.malformed(errors.InvalidType(argument="body", expected="object or array"))
        return Request(
            id=exchange.request_id,
            controller=action.controller,
            action=action.name,
            args={**exchange.arguments(), **values},
            body=body,
            volatile=exchange.volatile(),
            jwt=exchange.bearer(),
            textual=True,
            connection=link,
        )


class Exchange:
    """One HTTP request and its answer, in bytes and headers."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, limits: LimitsSection, http: HttpSection, node: str
    ) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self._limits, self._http, self._node = limits, http, node
        self.headers = connection.headers_of(scope)
        self.verb: str = scope["method"]
        self.path: bytes = scope["raw_path"].partition(b"?")[0]
        given = self.headers.get(b"x-kuzzle-request-id", b"").decode("latin-1")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
        self._whole = False
        self.status = 0

    def malformed(self, error: errors.VisadoError, *, bare: bool = False) -> Malformed:
        """Refuse the request as it is."""
        return Malformed(error, self.request_id, bare=bare)

    async def read_body(self) -> Any:
        """Read the body within the limits of size and time. Raises `Malformed` with a bare error."""
        limit = self._limits.request_size
        try:
            media_type, encodings = bodies.check_headers(self.headers, limit)
            async with asyncio.timeout(self._limits.request_timeout):
                data = await bodies.collect(self._chunks(), limit)
            return bodies.read(bodies.unpack(data, encodings, limit) if encodings else data, media_type)
        except errors.VisadoError as error:
            raise self.malformed(error, bare=True) from None
        except TimeoutError:
            raise self.malformed(
                errors.UnexpectedHttpError(cause="the body did not arrive in time"), bare=True
            ) from None

    async def _chunks(self) -> AsyncIterator[bytes]:
        while not self._whole:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            self._whole = not message.get("more_body", False)
            yield message.get("body", b"")

    def arguments(self) -> dict[str, Any]:
        """Read the query string; what a request reserves is never an argument, and never a token."""
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
            value = wire.decode(header)
        except ValueError as error:
            raise self.malformed(errors.VolatileParseFailed(cause=str(error))) from None
        if value is None or is_object(value):
            return value
        raise self.malformed(errors.InvalidType(argument="volatile", expected="object"))

    def smuggled(self) -> bool:
        """Whether a page of another site sent this as a form, which needs no permission of a browser."""
        site = self.headers.get(b"sec-fetch-site")
        plain = not self.headers.get(b"content-type", b"").lower().startswith(b"application/json")
        return site == b"cross-site" and plain and self.verb not in ("GET", "HEAD")

    async def send_response(self, response: Response) -> None:
        """Write the answer: an envelope, or what the action or the error wants instead."""
        reply, error = response.reply, response.error
        pretty = b"pretty" in self.scope["query_string"] and "pretty" in dict(
            parse_qsl(self.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        )
        try:
            body = self._encode(response, pretty=pretty)
        except Exception:  # what a plugin returned is no JSON
            _log.exception("%r: the answer cannot be written", response.request)
            response = response.failed()
            reply, error = response.reply, response.error
            body = self._encode(response, pretty=pretty)
        headers = [*_FIXED, *self._cross_origin(), *_of_error(error)]
        if not response.bare:
            headers += [
                (b"x-kuzzle-request-id", self.request_id.encode("latin-1")),
                (b"x-kuzzle-node", self._node.encode()),
            ]
        for name, text in reply.headers.items():
            if name.lower() == "content-type":
                headers[0] = (b"content-type", text.encode("latin-1"))
            elif name.lower() != "content-length":
                headers.append((name.lower().encode(), text.encode("latin-1")))
        headers += [(b"set-cookie", text.encode("latin-1")) for text in reply.cookies]
        body, encoding = _packed(body, self.headers.get(b"accept-encoding", b"").decode("latin-1"))
        headers += [(b"content-encoding", encoding), (b"content-length", str(len(body)).encode())]
        await self._write(response.status, headers, body)

    def _encode(self, response: Response, *, pretty: bool) -> bytes:
        reply, error = response.reply, response.error
        if response.bare and error is not None:
            return wire.encode(error.as_dict(), pretty=pretty)
        if reply.raw and error is None:
            return reply.result.encode() if isinstance(reply.result, str) else wire.encode(reply.result, pretty=pretty)
        return wire.encode(response.envelope(self._node), pretty=pretty)

    async def _write(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status = status
        if not self._whole:
            headers.append((b"connection", b"close"))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": not self._whole})
        if self._whole:
            return
        # Closing on a client that still sends would take the answer from it: let it finish, for a while.
        with contextlib.suppress(TimeoutError, Disconnected):
            async with asyncio.timeout(_LINGER):
                async for _ in self._chunks():
                    pass
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
