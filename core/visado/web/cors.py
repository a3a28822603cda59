"""Which pages of other origins may call the API. Starlette's middleware answers preflights.

The wire contract fixes the headers of every other response, so `CrossOrigin.headers` writes those.
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from visado.settings.sections import HttpSection

ALLOWED_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")
ALLOWED_HEADERS: Final = (
    "Content-Type",
    "Access-Control-Allow-Headers",
    "Authorization",
    "X-Requested-With",
    "Content-Encoding",
    "Content-Length",
    "X-Kuzzle-Volatile",
)


class CrossOrigin:
    """The origins of `[http] allow_origins`, and those of `cookie_origins`, which may also send the cookie."""

    def __init__(self, section: HttpSection) -> None:
        self._allow_origins = frozenset(section.allow_origins)
        self._cookie_origins = frozenset(section.cookie_origins if section.cookie_auth else ())
        self._without_cookie = _middleware(self._allow_origins, credentials=False)
        self._with_cookie = _middleware(self._cookie_origins, credentials=True)

    def preflight(self, scope: Scope) -> Response | None:
        """Return the response to a preflight request of a browser, or None for any other request."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if scope["method"] != "OPTIONS" or origin is None or "access-control-request-method" not in headers:
            return None
        middleware = self._with_cookie if origin in self._cookie_origins else self._without_cookie
        return middleware.preflight_response(request_headers=headers)

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


def _middleware(origins: frozenset[str], *, credentials: bool) -> CORSMiddleware:
    return CORSMiddleware(
        _no_application,
        allow_origins=origins,
        allow_methods=ALLOWED_METHODS,
        allow_headers=ALLOWED_HEADERS,
        allow_credentials=credentials,
    )


async def _no_application(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand where the middleware wants an application: only its answer to preflights is used."""
