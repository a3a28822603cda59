"""Errors of HTTP and WebSocket requests that could not be read."""

from __future__ import annotations

from visado.errors.base import BadRequest, NotFound, TooLarge, TooManyRequests


class RequestTooLarge(TooLarge, id="network.http.request_too_large", code=0x03010001):
    """The body exceeds the size limit, before or after decompression."""

    message = "Maximum HTTP request size exceeded."


class UnexpectedHttpError(BadRequest, id="network.http.unexpected_error", code=0x03010002):
    """The request is not valid HTTP."""

    message = "Caught an unexpected HTTP error: {cause}"


class TooManyEncodings(BadRequest, id="network.http.too_many_encodings", code=0x03010003):
    """The body is compressed more than three times."""

    message = "Too many encodings."


class UnsupportedCompression(BadRequest, id="network.http.unsupported_compression", code=0x03010004):
    """The host does not support the compression of the body."""

    message = 'Unsupported compression algorithm "{algorithm}".'


class UnsupportedVerb(BadRequest, id="network.http.unsupported_verb", code=0x03010006):
    """No route has this HTTP verb."""

    message = 'Unsupported HTTP verb "{verb}".'


class UrlNotFound(NotFound, id="network.http.url_not_found", code=0x03010007):
    """No route has this path and verb."""

    message = "API URL not found: {path}."


class UnsupportedContent(BadRequest, id="network.http.unsupported_content", code=0x03010008):
    """The host does not support the media type of the body."""

    message = 'Invalid request content-type. Expected "application/json", got: "{content_type}".'


class UnsupportedCharset(BadRequest, id="network.http.unsupported_charset", code=0x03010009):
    """The body is not UTF-8."""

    message = 'Unsupported request charset. Expected "utf-8", got: "{charset}".'


class VolatileParseFailed(BadRequest, id="network.http.volatile_parse_failed", code=0x0301000B):
    """The header `x-kuzzle-volatile` is not a JSON object."""

    message = 'Unable to convert the "x-kuzzle-volatile" HTTP header to JSON: {cause}'


class BodyParseFailed(BadRequest, id="network.http.body_parse_failed", code=0x0301000C):
    """The body is not valid JSON, is nested too deeply, has a duplicate key, or is not UTF-8."""

    message = "Unable to convert the HTTP body to JSON: {start}"


class UnexpectedWebSocketError(BadRequest, id="network.websocket.unexpected_error", code=0x03030001):
    """The message is not valid JSON, is nested too deeply, has a duplicate key, or is not UTF-8."""

    message = "Caught an unexpected WebSocket error: {cause}"


class SocketRateLimitExceeded(TooManyRequests, id="network.websocket.ratelimit_exceeded", code=0x03030002):
    """The connection has sent more messages in one second than the limit allows."""

    message = "Rejected: too many requests received from that socket"
