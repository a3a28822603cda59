"""Which pages of other origins may call the API.

Starlette's `CORSMiddleware` is not used: the wire contract fixes the body of a preflight's response, and the headers of
every response, in ways that the middleware cannot be told.
"""

from __future__ import annotations

from typing import Final

from visado.settings.sections import HttpSection

ALLOWED_METHODS: Final = b"GET,POST,PUT,PATCH,DELETE,OPTIONS,HEAD"
ALLOWED_HEADERS: Final = (
    b"Content-Type, Access-Control-Allow-Headers, Authorization, X-Requested-With, Content-Encoding, "
    b"Content-Length, X-Kuzzle-Volatile"
)


class CrossOrigin:
    """The origins of `[http] allow_origins`, and those of `cookie_origins`, which may also send the cookie."""

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
