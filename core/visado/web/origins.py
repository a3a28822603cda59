"""Where a request comes from: this machine or another, a page of this host or another, over TLS or not.

Also which pages of other origins may read a response (CORS).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

from visado.request import Connection, RequestHead
from visado.settings.sections import HttpSection
from visado.web.forwarded import TrustedProxies
from visado.web.routes import sent_path

C = TypeVar("C", bound=Connection)
ALLOWED_METHODS: Final = b"GET,POST,PUT,PATCH,DELETE,OPTIONS,HEAD"
ALLOWED_HEADERS: Final = (
    b"Content-Type, Access-Control-Allow-Headers, Authorization, X-Requested-With, Content-Encoding, "
    b"Content-Length, X-Kuzzle-Volatile"
)
_PROXY_HEADERS: Final = frozenset({b"forwarded", b"x-real-ip", b"via"})
_MAX_CACHED_BYTES: Final = 512
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Origins:
    """Makes connections from ASGI scopes.

    `public_url` is the address of `[server] public_url`, or empty. `proxies` are those of `[server] trusted_proxies`.
    """

    def __init__(self, public_url: str, proxies: Iterable[str] = ()) -> None:
        self._public_url, self._public_path = public_url, unquote(urlsplit(public_url).path)
        self._proxies = TrustedProxies(proxies)
        self._has_proxies = bool(self._proxies)

    def connect(self, kind: type[C], scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> C:
        """Make a connection of this class."""
        client, host, origin = scope.get("client"), headers.get(b"host"), headers.get(b"origin")
        address, scheme = client[0] if client else None, scope["scheme"]
        proxied = not _PROXY_HEADERS.isdisjoint(headers) or b"\nx-forwarded-" in b"\n".join((b"", *headers))
        trusted = self._has_proxies and self._proxies.trust(client)
        if trusted and proxied:
            address, scheme, host, proxied = self._believe(scope, address, host)
        is_short = len(host or b"") + len(origin or b"") <= _MAX_CACHED_BYTES
        examine = _examine if is_short else _examine.__wrapped__  # a client could fill the cache with long headers
        facts = examine(address, scheme, host, origin, proxied, self._public_url)
        base_path = self._public_path or scope.get("root_path", "")
        name = None if origin is None else origin.decode("latin-1")
        sent = (scope.get("method", ""), sent_path(scope), scope.get("query_string", b""), scope["headers"], client)
        return kind(scope["type"], address, name, *facts, headers, base_path, trusted, RequestHead(*sent))

    def _believe(
        self, scope: Mapping[str, Any], peer: str | None, host: bytes | None
    ) -> tuple[str | None, str, bytes | None, bool]:
        """Return the client's address, the scheme, the host, and whether this counts as proxied, as proxies tell it.

        A request from this machine, through proxies of this machine alone that name the host, does not count as
        proxied: whether it is from loopback then depends on the client and on that host.
        """
        facts = self._proxies.read(scope["headers"])
        is_local = facts.is_local and _is_loopback(peer, None if host is None else host.decode("latin-1"), None)
        if facts.host is not None:
            host = facts.host.encode()
        return facts.address or peer, facts.scheme or scope["scheme"], host, not is_local or facts.host is None

    def address(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> str | None:
        """Return the address of the client of a request."""
        return self.connect(Connection, scope, headers).address


@lru_cache(1_024)
def _examine(
    address: str | None, scheme: str, host: bytes | None, origin: bytes | None, proxied: bool, public_url: str
) -> tuple[bool, bool, bool]:
    """Return whether the request is from loopback, from a page of this host, and over TLS."""
    scheme = {"ws": "http", "wss": "https"}.get(scheme, scheme)
    host_text = None if host is None else host.decode("latin-1")
    page = None if origin is None else origin.decode("latin-1")
    return (
        not proxied and _is_loopback(address, host_text, page),
        page is None or _is_own_page(page, f"{scheme}://{host_text or ''}", public_url),
        scheme == "https" or public_url.startswith("https:"),
    )


def _is_loopback(address: str | None, host: str | None, origin: str | None) -> bool:
    """Return whether a request without a proxy comes from this machine, for this machine.

    A page of another origin does not count, nor a name that only resolves to this machine (DNS rebinding).
    """
    if not _is_loopback_name(address):
        return False
    if host is not None and not _is_loopback_name(_hostname("//" + host)):
        return False
    return origin is None or _is_loopback_name(_hostname(origin))


def _is_own_page(origin: str, *addresses: str) -> bool:
    """Return whether the page was served under one of these addresses of the host."""
    parts = _origin_parts(origin)
    return parts is not None and parts in {_origin_parts(each) for each in addresses if each}


def _origin_parts(address: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(address)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None


def _hostname(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _is_loopback_name(name: str | None) -> bool:
    if not name:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class CrossOrigin:
    """The origins of `[http] allow_origins`, and those of `cookie_origins`, which may also send the cookie.

    Starlette's `CORSMiddleware` is not used: the wire contract fixes the body of a preflight's response, and the
    headers of every response, in ways that the middleware cannot be told.
    """

    def __init__(self, section: HttpSection) -> None:
        self._allow_origins = frozenset(section.allow_origins)
        self._cookie_origins = frozenset(section.cookie_origins if section.cookie_auth else ())

    def headers(self, origin: bytes | None) -> list[tuple[bytes, bytes]]:
        """Return the headers that let the page of this origin read a response; none for a request without an origin."""
        if origin is None:
            return []
        name = origin.decode("latin-1")
        if name in self._cookie_origins:
            credentials = (b"access-control-allow-credentials", b"true")
            return [(b"access-control-allow-origin", origin), (b"vary", b"Origin"), credentials]
        if "*" in self._allow_origins:
            return [(b"access-control-allow-origin", b"*")]
        allowed = name in self._allow_origins
        return [(b"vary", b"Origin"), *([(b"access-control-allow-origin", origin)] if allowed else [])]
