"""What an error is: a class under an id, whose parent fixes the status."""

from __future__ import annotations

import string
import zlib
from typing import ClassVar

from typing_extensions import override

_FORMATTER = string.Formatter()
_OF_PLUGINS = 0x40000000


class VisadoError(Exception):
    """An error that a client may see: id, code, status, message and the values in the message.

    Subclasses declare `id`, `code` and a `message` whose `{placeholders}` are the keyword arguments of
    the constructor. Their values, in the message's order, are the error's `props` on the wire.
    """

    id: ClassVar[str]
    code: ClassVar[int]
    status: ClassVar[int] = 500
    message: ClassVar[str] = ""
    result: object = None
    """What was done nevertheless: the answer shows it beside the error."""
    cookies: tuple[str, ...] = ()
    """`Set-Cookie` values that go with the answer over HTTP."""

    def __init_subclass__(cls, *, id: str | None = None, code: int | None = None) -> None:
        """File the class under its id; refuse a second class of one id. Without a code, the id makes one."""
        super().__init_subclass__()
        if id is None:
            return
        other = CATALOGUE.get(id)
        if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(
                f"{cls.__module__}.{cls.__qualname__} and {other.__module__}.{other.__qualname__} "
                f"both declare the error id {id!r}"
            )
        cls.id, cls.code = id, _OF_PLUGINS | zlib.crc32(id.encode()) & 0xFFFFFF if code is None else code
        CATALOGUE[id] = cls

    def __init__(self, **values: object) -> None:
        self.values = values
        super().__init__(self.text)

    @property
    def text(self) -> str:
        """The message with its placeholders filled in."""
        return self.message.format(**self.values) if self.values else self.message

    @property
    def props(self) -> list[object]:
        """The raw values of the placeholders, in the message's order."""
        names = [name for _, name, _, _ in _FORMATTER.parse(self.message) if name]
        shown = [self.values[name] for name in dict.fromkeys(names)]
        return shown + [value for name, value in self.values.items() if name not in names]

    def extra(self) -> dict[str, object]:
        """Further members of the error on the wire."""
        return {}

    def as_dict(self) -> dict[str, object]:
        """Show the error as a client sees it."""
        shown = {
            "code": self.code,
            "id": self.id,
            "message": self.text,
            "props": self.props,
            "status": self.status,
        }
        return shown | self.extra()

    @override
    def __str__(self) -> str:
        return self.text


CATALOGUE: dict[str, type[VisadoError]] = {}
"""Every declared error, by id."""


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
