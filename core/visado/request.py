"""One call, whatever brought it: the request, who asks, and the answer."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias, cast

from visado import errors
from visado.codec import is_object
from visado.events import Event

Fields: TypeAlias = dict[str, Any]
"""A JSON object."""

ANONYMOUS_ID: Final = "-1"


@dataclass(frozen=True, slots=True)
class User:
    """A user: its id, its profiles, and everything else that it holds."""

    id: str
    profile_ids: tuple[str, ...]
    content: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def anonymous(self) -> bool:
        """Whether this is everybody who has not logged in."""
        return self.id == ANONYMOUS_ID


ANONYMOUS: Final = User(ANONYMOUS_ID, ("anonymous",), {"profileIds": ["anonymous"], "name": "Anonymous"})


@dataclass(frozen=True, slots=True)
class Token:
    """A verified token, without its text: the id of its row, whose it is, and when it ends.

    `expires_at` is in milliseconds since 1970, and -1 for a token that does not end; so is `ttl`.
    """

    id: str
    user_id: str
    expires_at: int
    ttl: int
    kind: Literal["token", "api-key"] = "token"
    single_use: bool = False


@dataclass(eq=False)
class Connection:
    """Where requests come from. An HTTP request has one of its own; a socket keeps its one.

    `near` says whether the request comes from this machine, for this machine: a loopback address, no proxy,
    and neither a foreign `Host` nor a foreign `Origin`. `secure` says that the client speaks https.
    """

    transport: Literal["http", "websocket"] = "http"
    address: str | None = None
    origin: str | None = None
    loopback: bool = True
    same_origin: bool = True
    secure: bool = False
    headers: Mapping[bytes, bytes] = field(default_factory=dict[bytes, bytes], repr=False)
    base_path: str = ""

    @cached_property
    def id(self) -> str:
        """A name for the connection, unlike any other's."""
        return new_id()

    def expired(self) -> None:
        """Hear that the remembered token has just ended."""


@dataclass(slots=True)
class Request:
    """What a client asks: an action, its arguments and its body.

    `args` are the arguments beside the body; `textual` says that they come from a URL, where every value is
    text. `jwt` and `cookie` are the token as it was sent. `events` are to be told before the answer; None once
    they have been. `depends_on` are the tokens that were verified for the answer; None where it rests on something else
    that may change unseen.
    """

    id: str
    controller: str | None
    action: str | None
    args: Fields
    body: Fields | list[Any] | None = None
    volatile: Fields | None = None
    jwt: str | None = None
    cookie: str | None = None
    textual: bool = False
    connection: Connection = field(default_factory=Connection)
    user: User = ANONYMOUS
    token: Token | None = None
    events: dict[Event, Event] | None = field(default_factory=dict[Event, Event], repr=False)
    depends_on: list[tuple[str, Any]] | None = field(default_factory=list[tuple[str, Any]], repr=False)

    @property
    def fields(self) -> Fields:
        """The body's members; none where the body is absent or a list."""
        return self.body if isinstance(self.body, dict) else {}

    def take_events(self) -> list[Event]:
        """What is to be told before the answer; from now on, nothing waits for the answer."""
        events, self.events = self.events, None
        return list(events or ())

    def header(self, name: str) -> str | None:
        """A header of the HTTP request, or of the upgrade to a socket, by its name in lower case."""
        value = self.connection.headers.get(name.encode())
        return None if value is None else value.decode("latin-1")

    def __repr__(self) -> str:  # a body may hold a password
        return f"<Request {self.id!r} {self.controller!r}:{self.action!r} of {self.user.id!r}>"


def are_header_texts(values: object) -> bool:
    """Whether this is a tuple of strings that fit into headers: none has a line break or a control character."""
    if not isinstance(values, tuple):
        return False
    return all(isinstance(each, str) and each.isprintable() for each in cast("tuple[object, ...]", values))


def new_id() -> str:
    """Make an id for a request that has none, or for a connection: a UUID of the fourth version."""
    digits = random.randbytes(16).hex()  # noqa: S311 - a name, not a secret
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


class Malformed(Exception):
    """What was sent is no request. Carries the answer's parts that are known nevertheless."""

    def __init__(self, error: errors.VisadoError, request_id: Any, *, bare: bool = False) -> None:
        super().__init__(str(error))
        self.error, self.request_id, self.bare = error, request_id, bare


_RESERVED: Final = frozenset({"jwt", "volatile", "body", "controller", "action"})
_TYPES: Final = (
    ("controller", (str,), "string"),
    ("action", (str,), "string"),
    ("jwt", (str,), "string"),
    ("requestId", (str,), "string"),
    ("volatile", (dict,), "object"),
    ("body", (dict, list), "object or array"),
)


def from_payload(payload: Any, connection: Connection, request_id: str | None = None) -> Request:
    """Read a request payload: a WebSocket message, or the body of `_query`.

    `request_id` stands for the payload's own, which HTTP ignores. Raises `Malformed`.
    """
    if not is_object(payload):
        error = errors.InvalidType(argument="request", expected="object")
        raise Malformed(error, request_id or new_id())
    fields = payload
    shown = request_id or fields.get("requestId") or new_id()
    for name, types, expected in _TYPES:
        value = fields.get(name)
        if value is not None and not isinstance(value, types):
            raise Malformed(errors.InvalidType(argument=name, expected=expected), shown)
    return Request(
        id=shown,
        controller=fields.get("controller"),
        action=fields.get("action"),
        args={name: value for name, value in fields.items() if name not in _RESERVED},
        body=fields.get("body"),
        volatile=fields.get("volatile"),
        jwt=fields.get("jwt"),
        connection=connection,
    )


class Nothing:
    """The result of an action that answers without a result: the envelope then has no such key."""


NOTHING: Final = Nothing()


@dataclass(frozen=True, slots=True)
class Reply:
    """What an action returns when a plain result does not say it all.

    `headers` go into the envelope too; `cookies` are `Set-Cookie` values, for HTTP alone; `raw` sends the result
    without envelope.
    """

    result: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cookies: tuple[str, ...] = ()
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to one request. `request` is None where what was sent is no request."""

    request_id: Any
    reply: Reply
    error: errors.VisadoError | None = None
    request: Request | None = None
    bare: bool = False

    @property
    def status(self) -> int:
        """The HTTP status, which the envelope repeats."""
        return self.error.status if self.error else self.reply.status

    def failed(self) -> Response:
        """The answer in the place of this one, which cannot be written down."""
        return replace(self, reply=Reply(None), error=errors.PluginFailed(cause="the result is no JSON"))

    def envelope(self, node: str) -> Fields:
        """Build the envelope, as `docs/api.md` shows it."""
        request, reply = self.request, self.reply
        shown: Fields = {
            "action": request.action if request else None,
            "controller": request.controller if request else None,
            "error": self.error.as_dict() if self.error else None,
            "headers": {name.lower(): text for name, text in reply.headers.items()},
            "node": node,
            "requestId": self.request_id,
            "result": reply.result,
            "status": self.status,
            "volatile": request.volatile if request else None,
        }
        if reply.result is NOTHING:
            del shown["result"]
        if request:
            shown.update((name, request.args[name]) for name in ("index", "collection") if name in request.args)
        return shown


_current: ContextVar[Request] = ContextVar("visado_request")


def current_request() -> Request | None:
    """The request that is being answered: a strategy's `create` may want to know who asks."""
    return _current.get(None)


def set_current(request: Request) -> None:
    """Make this the request that is being answered, in the running task."""
    _current.set(request)
