"""One HTTP response as it leaves: `write` makes the bytes, `send` hands them to the server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import parse_qsl

from starlette.types import Send

from visado import codec, errors
from visado.response import Response
from visado.web.bodies import compress
from visado.web.cache import head_of
from visado.web.origins import ALLOWED_HEADERS, ALLOWED_METHODS, CrossOrigin
from visado.web.read import Disconnected, Incoming
from visado.web.request_headers import JSON

RAW_RESPONSE: Final = "visado.raw_response"
"""An ASGI extension of `web.server`: `write(head, body)` writes a whole response of status 200 at once."""
OK: Final = 200
_log = logging.getLogger("visado.http")
_DISCARD_SECONDS: Final = 2.0
Headers = list[tuple[bytes, bytes]]
_COMMON_HEADERS: Final[Headers] = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"access-control-allow-headers", ALLOWED_HEADERS),
    (b"access-control-allow-methods", ALLOWED_METHODS),
    (b"accept-encoding", b"gzip,deflate,identity"),
]
_COMMON_HEAD: Final = head_of(_COMMON_HEADERS)


@dataclass(slots=True)
class Outgoing:
    """One response in bytes.

    `headers` are those of this response alone: neither the common ones, nor the request's id, nor the length. `head`
    is the same as bytes, where it is known already. `bare` responses do not name the request.
    """

    status: int
    headers: Headers
    body: bytes
    bare: bool = False
    compressed: bool = False
    head: bytes | None = None


class Writer:
    """Makes the bytes of responses. `node` is the id of the running host, which each envelope and response names."""

    def __init__(self, cross_origin: CrossOrigin, node: str) -> None:
        self._cross_origin, self._node = cross_origin, node

    def write(self, response: Response, incoming: Incoming) -> Outgoing:
        """Return the bytes of a response: an envelope, or what its action or its error wants instead."""
        query = incoming.scope["query_string"]
        pretty = b"pretty" in query and "pretty" in dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        try:
            body = self._encode(response, pretty=pretty)
        except Exception:  # a plugin returned something that JSON cannot write
            _log.exception("%r: the result cannot be written as JSON", response.request)
            response = response.failed()
            body = self._encode(response, pretty=pretty)
        reply = response.reply
        headers: Headers = [(b"content-type", JSON), *self._cross_origin.headers(incoming.headers.get(b"origin"))]
        if response.error is not None:
            headers += _headers_of_error(response.error)
        if not response.bare:
            headers.append((b"x-kuzzle-node", self._node.encode()))
        for name, text in reply.headers.items():
            if name.lower() == "content-type":
                headers[0] = (b"content-type", text.encode("latin-1"))
            elif name.lower() != "content-length":
                headers.append((name.lower().encode(), text.encode("latin-1")))
        headers += [(b"set-cookie", text.encode("latin-1")) for text in reply.cookies]
        sent, encoding = compress(body, incoming.headers.get(b"accept-encoding", b"").decode("latin-1"))
        headers.append((b"content-encoding", encoding))
        return Outgoing(response.status, headers, sent, response.bare, compressed=sent is not body)

    def _encode(self, response: Response, *, pretty: bool) -> bytes:
        reply, error = response.reply, response.error
        if response.bare and error is not None:
            return codec.encode(error.as_dict(), pretty=pretty)
        if reply.raw and error is None:
            result = reply.result
            return result.encode() if isinstance(result, str) else codec.encode(result, pretty=pretty)
        return codec.encode(response.envelope(self._node), pretty=pretty)


def send_at_once(outgoing: Outgoing, incoming: Incoming) -> bool:
    """Write a response through the server's `RAW_RESPONSE`. Return False where it has to go through `send`."""
    extensions = incoming.scope.get("extensions")
    if not extensions or RAW_RESPONSE not in extensions or outgoing.status != OK or outgoing.bare:
        return False
    if not incoming.complete or incoming.method == "HEAD":
        return False
    head = outgoing.head or _checked_head(outgoing.headers)
    if head is None:
        return False
    own = b"x-kuzzle-request-id: %b\r\ncontent-length: %d\r\n"
    own %= (incoming.request_id.encode("latin-1"), len(outgoing.body))
    return cast("bool", extensions[RAW_RESPONSE]["write"](_COMMON_HEAD + head + own, outgoing.body))


def all_headers(outgoing: Outgoing, incoming: Incoming) -> Headers:
    """Return every header of a response but those of the connection."""
    headers = [*_COMMON_HEADERS, *outgoing.headers]
    if not outgoing.bare:
        headers.append((b"x-kuzzle-request-id", incoming.request_id.encode("latin-1")))
    headers.append((b"content-length", b"%d" % len(outgoing.body)))
    return headers


async def send(outgoing: Outgoing, incoming: Incoming, send: Send) -> None:
    """Send a response. A client that still sends its body is let finish for a while, then its connection closes."""
    headers = all_headers(outgoing, incoming)
    more_body = not incoming.complete
    if more_body:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": outgoing.status, "headers": headers})
    await send({"type": "http.response.body", "body": outgoing.body, "more_body": more_body})
    if more_body:  # closing now would take the response from a client that is still sending
        with contextlib.suppress(TimeoutError, Disconnected):
            async with asyncio.timeout(_DISCARD_SECONDS):
                await incoming.discard_body()
        await send({"type": "http.response.body", "body": b""})


def _checked_head(headers: Headers) -> bytes | None:
    """Return headers as HTTP/1.1 writes them; None where one has a line break, which the server then refuses."""
    head = head_of(headers)
    return head if head.count(b"\n") == head.count(b"\r") == len(headers) else None


def _headers_of_error(error: errors.VisadoError) -> Headers:
    """Return the headers that tell an HTTP client what to do about an error."""
    if error.www_authenticate:
        return [(b"www-authenticate", each.encode("latin-1", "replace")) for each in error.www_authenticate]
    if isinstance(error, errors.TooManyRequests):
        return [(b"retry-after", b"%d" % error.retry_after)]
    if isinstance(error, errors.InvalidToken):
        text = json.dumps(error.text.rstrip("."))
        return [(b"www-authenticate", f'Bearer error="invalid_token", error_description={text}'.encode())]
    if isinstance(error, errors.LoginRequired):
        return [(b"www-authenticate", b"Bearer")]
    return []
