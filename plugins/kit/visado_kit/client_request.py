"""What a client sends, and the one place where the kit makes requests of it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

from visado import ANONYMOUS, Connection, Fields, Request, User
from visado.request import RequestHead

LOCAL_ADDRESS: Final = "127.0.0.1"
_PORT: Final = 49_152


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """What a client sends: a body, arguments of the query string, headers, cookies, a token; and from where.

    `token` is the text of its bearer token, a token of another issuer for instance. `origin` is that of the page of
    another site that posts the request as a form; None: no such page.
    """

    body: Any = None
    args: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cookies: Mapping[str, str] = field(default_factory=dict[str, str])
    token: str | None = None
    address: str | None = LOCAL_ADDRESS
    origin: str | None = None

    @property
    def members(self) -> dict[str, Any]:
        """The members of the body; none where it is no object."""
        body = self.body
        return cast("dict[str, Any]", body) if isinstance(body, dict) else {}

    @property
    def is_empty(self) -> bool:
        """Whether the request has no input, as that of a guest."""
        return (
            not (self.body or self.args or self.headers or self.cookies or self.token) and self.address == LOCAL_ADDRESS
        )


LoginInput: TypeAlias = ClientRequest | Fields | None
"""What hooks return for a request: all of it, or the body alone."""


def as_client_request(sent: object) -> ClientRequest:
    """Return what a hook returned as a request: anything but a `ClientRequest` is the body."""
    return sent if isinstance(sent, ClientRequest) else ClientRequest(sent)


def build_request(
    sent: object = None,
    *,
    action: str = "auth:login",
    args: Mapping[str, Any] | None = None,
    cookies: Mapping[str, str] | None = None,
    token: str | None = None,
    user: User = ANONYMOUS,
) -> Request:
    """Make the request of an action, as the host would read it over HTTP. A plugin may change its body: it is a copy.

    `args` and `cookies` are added to those of `sent`, and `token` replaces that of `sent`. `user` is the user who asks.
    """
    wanted = as_client_request(sent)
    controller, _, name = action.rpartition(":")
    jar = {**wanted.cookies, **(cookies or {})}
    headers = [(each.lower().encode(), _encode(value)) for each, value in wanted.headers.items()]
    if jar:
        headers.append((b"cookie", "; ".join(f"{each}={value}" for each, value in jar.items()).encode()))
    client = (wanted.address, _PORT) if wanted.address is not None else None
    connection = Connection(
        address=wanted.address,
        origin=wanted.origin,
        loopback=wanted.origin is None and wanted.address == LOCAL_ADDRESS,
        same_origin=wanted.origin is None,
        headers=dict(headers),
        head=RequestHead("POST", b"/", b"", headers, client),
        cross_site_form=wanted.origin is not None,
    )
    arguments = {**wanted.args, **(args or {})}
    jwt = wanted.token if token is None else token
    return Request("1", controller, name, arguments, copy.copy(wanted.body), jwt=jwt, connection=connection, user=user)


def read_set_cookies(values: Iterable[str]) -> dict[str, str]:
    """Return the cookies that `Set-Cookie` values set, as a browser keeps them."""
    pairs = (value.partition(";")[0].partition("=") for value in values)
    return {name.strip(): text.strip() for name, _, text in pairs}


def _encode(value: str) -> bytes:
    return value.encode("latin-1", "replace")
