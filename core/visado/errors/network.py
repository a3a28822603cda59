"""The errors of the two transports."""

from __future__ import annotations

from visado.errors.base import BadRequest, NotFound, TooLarge, TooManyRequests


class RequestTooLarge(TooLarge, id="network.http.request_too_large", code=0x03010001):
    """The body, or what it unpacks to, is over the limit."""

    message = "Maximum HTTP request size exceeded."


class UnexpectedHttpError(BadRequest, id="network.http.unexpected_error", code=0x03010002):
    """The request is not well-formed HTTP."""

    message = "Caught an unexpected HTTP error: {cause}"


class TooManyEncodings(BadRequest, id="network.http.too_many_encodings", code=0x03010003):
    """The body is packed more than three times."""

    message = "Too many encodings."


class UnsupportedCompression(BadRequest, id="network.http.unsupported_compression", code=0x03010004):
    """The body is packed in a way that the host cannot undo."""

    message = 'Unsupported compression algorithm "{algorithm}".'


class UnsupportedVerb(BadRequest, id="network.http.unsupported_verb", code=0x03010006):
    """No route has this HTTP verb."""

    message = 'Unsupported HTTP verb "{verb}".'


class UrlNotFound(NotFound, id="network.http.url_not_found", code=0x03010007):
    """No route has this path and verb."""

    message = "API URL not found: {path}."


class UnsupportedContent(BadRequest, id="network.http.unsupported_content", code=0x03010008):
    """The body is not of a media type that the host reads."""

    message = 'Invalid request content-type. Expected "application/json", got: "{content_type}".'


class UnsupportedCharset(BadRequest, id="network.http.unsupported_charset", code=0x03010009):
    """The body is not UTF-8."""

    message = 'Unsupported request charset. Expected "utf-8", got: "{charset}".'


class VolatileParseFailed(BadRequest, id="network.http.volatile_parse_failed", code=0x0301000B):
    """The x-kuzzle-volatile header does not hold a JSON object."""

    message = 'Unable to convert the "x-kuzzle-volatile" HTTP header to JSON: {cause}'


class BodyParseFailed(BadRequest, id="network.http.body_parse_failed", code=0x0301000C):
    """The body is not JSON: malformed, too deep, a key twice, or not UTF-8."""

    message = "Unable to convert the HTTP body to JSON: {start}"


class UnexpectedWebSocketError(BadRequest, id="network.websocket.unexpected_error", code=0x03030001):
    """The message is not JSON: malformed, too deep, a key twice, or not UTF-8."""

    message = "Caught an unexpected WebSocket error: {cause}"


class SocketRateLimitExceeded(TooManyRequests, id="network.websocket.ratelimit_exceeded", code=0x03030002):
    """More messages in one second than one socket may send."""

    message = "Rejected: too many requests received from that socket"
