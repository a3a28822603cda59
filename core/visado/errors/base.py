"""The base class of errors, the parents that fix an error's HTTP status, and the catalogue of all errors."""

from __future__ import annotations

import string
import zlib
from typing import ClassVar, Final

from typing_extensions import override

_FORMATTER: Final = string.Formatter()
_PLUGIN_CODES: Final = 0x40000000
"""The flag in codes that are derived from an id: the wire contract has no code with it."""


class VisadoError(Exception):
    """An error that a client receives: id, code, status, message and the values in the message.

    Subclasses declare an `id` and a `message`. The `{placeholders}` of the message are the keyword arguments of the
    constructor; their values, in the message's order, are the error's `props` on the wire.
    """

    id: ClassVar[str]
    code: ClassVar[int]
    status: ClassVar[int] = 500
    message: ClassVar[str] = ""
    result: object = None
    """The result of the part that succeeded. The response contains it beside the error."""
    cookies: tuple[str, ...] = ()
    """`Set-Cookie` values of the HTTP response."""
    www_authenticate: tuple[str, ...] = ()
    """Values of the header `WWW-Authenticate` of the HTTP response."""

    def __init_subclass__(cls, *, id: str | None = None, code: int | None = None) -> None:
        """Add the class to the catalogue. Without a code, the code is derived from the id.

        Raises `TypeError` for an id that another class has.
        """
        super().__init_subclass__()
        if id is None:
            return
        other = CATALOGUE.get(id)
        if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(
                f"{cls.__module__}.{cls.__qualname__} and {other.__module__}.{other.__qualname__} "
                f"both declare the error id {id!r}"
            )
        cls.id, cls.code = id, _PLUGIN_CODES | zlib.crc32(id.encode()) & 0xFFFFFF if code is None else code
        CATALOGUE[id] = cls

    def __init__(self, **values: object) -> None:
        self.values = values
        super().__init__(self.text)

    @property
    def text(self) -> str:
        """The message with the values of its placeholders."""
        return self.message.format(**self.values) if self.values else self.message

    @property
    def props(self) -> list[object]:
        """The values of the placeholders in the message's order, and then the other values."""
        names = [name for _, name, _, _ in _FORMATTER.parse(self.message) if name]
        named = [self.values[name] for name in dict.fromkeys(names)]
        return named + [value for name, value in self.values.items() if name not in names]

    def extra(self) -> dict[str, object]:
        """Return further members of the error on the wire."""
        return {}

    def as_dict(self) -> dict[str, object]:
        """Return the error as it is sent to the client."""
        members = {
            "code": self.code,
            "id": self.id,
            "message": self.text,
            "props": self.props,
            "status": self.status,
        }
        return members | self.extra()

    @override
    def __str__(self) -> str:
        return self.text


CATALOGUE: Final[dict[str, type[VisadoError]]] = {}
"""Every declared error class, by id."""


class BadRequest(VisadoError):
    """The request is invalid: the error's id says which part."""

    status = 400


class Unauthorized(VisadoError):
    """The request is not authenticated: its token is missing, invalid or expired, or the login failed."""

    status = 401


class Forbidden(VisadoError):
    """The user does not have the right to do this."""

    status = 403


class NotFound(VisadoError):
    """The requested resource, action or URL does not exist."""

    status = 404


class PreconditionFailed(VisadoError):
    """The current state of the resource does not allow the request."""

    status = 412


class TooLarge(VisadoError):
    """The request, or the requested page, exceeds a size limit."""

    status = 413


class TooManyRequests(VisadoError):
    """The client has sent more requests than its rate limit allows."""

    status = 429
    retry_after: int = 1
    """After how many seconds the client may try again: the header `Retry-After`."""


class InternalError(VisadoError):
    """The host or a plugin failed. Only the host's log contains the cause."""

    status = 500


class PluginError(VisadoError):
    """A plugin failed. Only the host's log contains the cause."""

    status = 500


class BadGateway(VisadoError):
    """A server that the host depends on sent an invalid response."""

    status = 502


class Unavailable(VisadoError):
    """The host cannot process the request at the moment. The client may retry it."""

    status = 503


class TimedOut(VisadoError):
    """A server or a plugin that the host depends on did not respond within its time limit."""

    status = 504


class PartialFailure(VisadoError):
    """Some items of the request failed: the response contains both a result and an error."""

    status = 206

    def __init__(self, errors: list[VisadoError], result: object) -> None:
        super().__init__()
        self.errors = errors
        self.result = result

    @override
    def extra(self) -> dict[str, object]:
        return {"errors": [error.as_dict() for error in self.errors], "count": len(self.errors)}
