"""A request, whatever the transport: what actions and plugins receive. `response` holds what they return."""

from __future__ import annotations

import random
import secrets
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast
from urllib.parse import parse_qsl

from visado import errors
from visado.events import Event

Fields: TypeAlias = dict[str, Any]
"""A JSON object."""

ANONYMOUS_ID: Final = "-1"
REFERENCE_PREFIX: Final = "klogin-"
"""The prefix of the references of further steps: a strategy may read texts of its own in the same place."""
_MAX_QUERY_MEMBERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class User:
    """A user: its id, the ids of its profiles, and its whole content, `profileIds` included."""

    id: str
    profile_ids: tuple[str, ...]
    content: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def anonymous(self) -> bool:
        """Whether this is the user of every client that has not logged in."""
        return self.id == ANONYMOUS_ID


ANONYMOUS: Final = User(ANONYMOUS_ID, ("anonymous",), {"profileIds": ["anonymous"], "name": "Anonymous"})


@dataclass(frozen=True, slots=True)
class Token:
    """A verified token or API key, without its text.

    `id` is that of its document in the storage. `expires_at` is in milliseconds since 1970, and `ttl` in milliseconds;
    both are -1 for a token that does not expire. `kind` is `foreign` for the credential of a token verifier.

    `strategy` made the token, or the verifier of this name; None for an API key, and for a further token that a user
    created. `session` and `methods` are those of the login. `actor` is the id of the user who acts as `user_id`.
    `allow` are the ids of the only actions that the token may run; None: all that the user may. `latest_end` is the end
    of the login's session, in ms since 1970, which no further token exceeds; None: it has no end.
    """

    id: str
    user_id: str
    expires_at: int
    ttl: int
    kind: Literal["token", "api-key", "foreign"] = "token"
    single_use: bool = False
    strategy: str | None = None
    session: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    methods: frozenset[str] = frozenset()
    actor: str | None = None
    allow: frozenset[str] | None = None
    latest_end: int | None = None


class RequestHead(NamedTuple):
    """The head of an HTTP request, or of the upgrade to a WebSocket, as the host received it.

    `method` is empty for a WebSocket. `path` is the whole encoded path. `headers` are all headers, in order, their
    names in lower case. `client` is the peer as the ASGI server names it: address and port, or nothing.
    """

    method: str = ""
    path: bytes = b""
    query_string: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()
    client: Sequence[Any] | None = None


@dataclass(eq=False)
class Connection:
    """Where requests come from: one connection for each HTTP request, or for all requests of a WebSocket.

    `address`: the client's, as proxies of `[server] trusted_proxies` name it, and otherwise the peer's. `loopback`: the
    request comes from this machine, for this machine: a loopback address, no proxy, and neither a foreign `Host` nor a
    foreign `Origin`. `same_origin`: no page sent it, or a page of this host. `secure`: the client speaks https.
    `headers`: the last value of each header; `head` has all of them. `base_path`: the path under which clients reach
    the API, such as `/auth`; empty at the root. `trusted`: the peer is one of `[server] trusted_proxies`.
    `cross_site_form`: a page of another origin sent the request as a form.
    """

    transport: Literal["http", "websocket"] = "http"
    address: str | None = None
    origin: str | None = None
    loopback: bool = True
    same_origin: bool = True
    secure: bool = False
    headers: Mapping[bytes, bytes] = field(default_factory=dict[bytes, bytes], repr=False)
    base_path: str = ""
    trusted: bool = False
    head: RequestHead = field(default=RequestHead(), repr=False)
    cross_site_form: bool = False

    @cached_property
    def id(self) -> str:
        """The id of the connection: a UUID."""
        return new_id()

    @cached_property
    def cookies(self) -> Mapping[str, str]:
        """The cookies by name. Of a cookie that is sent twice, the first counts."""
        return read_cookies(self.headers_of("cookie"))

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The members of the query string by name. Of a member that is sent twice, the first counts."""
        try:
            pairs = parse_qsl(
                self.head.query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_QUERY_MEMBERS
            )
        except ValueError:  # too many
            return {}
        return dict(reversed(pairs))

    def headers_of(self, name: str) -> tuple[str, ...]:
        """Return every value of a header, in order, by its lower-case name."""
        wanted = name.encode()
        return tuple(
            text.decode("latin-1") for each, text in self.head.headers or self.headers.items() if each == wanted
        )

    def expired(self) -> None:
        """Called when the token that a WebSocket used last has expired."""


@dataclass(slots=True)
class Request:
    """One request of a client: an action, its arguments and its body.

    `args`: the arguments beside the body. `textual`: the arguments come from a URL, where each value is a string.
    `jwt` and `cookie`: the token as the client sent it. `user` and `token`: whose it is, once it is verified.
    `events`: what observers are told before the response; None once they were told. `depends_on`: the tokens on which
    the response depends; None where it depends on something that changes without a write, so that no cache may hold it.
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
    depends_on: list[tuple[Any, Any]] | None = field(default_factory=list[tuple[Any, Any]], repr=False)
    raw_body: bytes = field(default=b"", repr=False)
    _reference: str | None = field(default=None, repr=False)

    @property
    def reference(self) -> str:
        """The reference under which the host stores the state of a `Redirect` or `Challenge` of this request.

        A secret text of 50 characters, which fits into SAML's `RelayState` and a URL as it is.
        """
        if self._reference is None:
            self._reference = f"{REFERENCE_PREFIX}{secrets.token_urlsafe(32)}"
        return self._reference

    @property
    def fields(self) -> Fields:
        """The members of the body; empty where the body is absent or a list."""
        return self.body if isinstance(self.body, dict) else {}

    def take_events(self) -> list[Event]:
        """Return the events to tell before the response. Events that are noted later do not wait for the response."""
        events, self.events = self.events, None
        return list(events or ())

    def header(self, name: str) -> str | None:
        """Return a header of the HTTP request, or of the upgrade to a WebSocket, by its lower-case name, or None."""
        value = self.connection.headers.get(name.encode())
        return None if value is None else value.decode("latin-1")

    def headers_of(self, name: str) -> tuple[str, ...]:
        """Return every value of a header, in order, by its lower-case name."""
        return self.connection.headers_of(name)

    @property
    def method(self) -> str:
        """The verb of the HTTP request; empty on a WebSocket."""
        return self.connection.head.method

    @property
    def target(self) -> str:
        """The path and the query string exactly as the host received them, such as `/_login/saml?SAMLRequest=fZ%2F`."""
        head = self.connection.head
        target = head.path + b"?" + head.query_string if head.query_string else head.path
        return target.decode("latin-1")

    @property
    def query(self) -> Mapping[str, str]:
        """The members of the query string, also those whose names are reserved, such as `action` and `jwt`.

        Of a member that is sent twice, the first counts.
        """
        return self.connection.query

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies by name. Of a cookie that is sent twice, the first counts."""
        return self.connection.cookies

    @property
    def address(self) -> str | None:
        """The client's address, without a port; None where nobody knows it."""
        return self.connection.address

    @property
    def peer(self) -> tuple[str, int] | None:
        """The address and the port of the other end of the TCP connection: the client, or the nearest proxy.

        None over a Unix socket. All requests of one TCP connection have the same peer.
        """
        client = self.connection.head.client
        return (client[0], client[1]) if client else None

    @property
    def trusted(self) -> bool:
        """Whether the peer is one of `[server] trusted_proxies`: what its headers say of the client is true."""
        return self.connection.trusted

    def __repr__(self) -> str:  # a body may hold a password
        return f"<Request {self.id!r} {self.controller!r}:{self.action!r} of {self.user.id!r}>"


def read_cookies(values: Iterable[str]) -> dict[str, str]:
    """Return the cookies of `Cookie` headers by name. Of a cookie that is sent twice, the first counts.

    `http.cookies` is not used: it stops at the first cookie that it cannot read, which may be another application's.
    """
    cookies: dict[str, str] = {}
    for value in values:
        for part in value.split(";"):
            name, separator, text = part.partition("=")
            if separator:  # other spaces are a part of the name: any host of a domain may set `\xa0__Host-x`
                cookies.setdefault(name.strip(" \t"), text.strip(" \t").strip('"'))
    return cookies


def are_header_texts(values: object) -> bool:
    """Return whether this is a tuple of strings that fit into headers: without line breaks and control characters."""
    if not isinstance(values, tuple):
        return False
    return all(isinstance(each, str) and each.isprintable() for each in cast("tuple[object, ...]", values))


def new_id() -> str:
    """Return a random id for a request or a connection: a UUID of version 4, which is no secret."""
    digits = random.randbytes(16).hex()  # noqa: S311 - a name, not a secret
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


class Malformed(Exception):
    """The client sent something that is no request. `bare` asks for a response without envelope."""

    def __init__(self, error: errors.VisadoError, request_id: Any, *, bare: bool = False) -> None:
        super().__init__(str(error))
        self.error, self.request_id, self.bare = error, request_id, bare


_current: ContextVar[Request] = ContextVar("visado_request")


def current_request() -> Request | None:
    """Return the request that runs in this task, or None."""
    return _current.get(None)


@contextmanager
def running(request: Request) -> Generator[None]:
    """Make this the request that runs in this task, for the time of a block."""
    token = _current.set(request)
    try:
        yield
    finally:
        _current.reset(token)


def set_current(request: Request) -> None:
    """Make this the request that runs in this task."""
    _current.set(request)
