"""What plugins serve beside the API, and what they wrap around it: Starlette's routes and middleware."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from visado.web.exchange import WHOLE


class Pages:
    """The pages of plugins before the API, and their middleware around everything, but of plugins that are `off`."""

    def __init__(self, api: ASGIApp, unavailable: AbstractSet[str]) -> None:
        self._api, self._unavailable = api, unavailable
        self._routes: list[tuple[str, BaseRoute]] = []
        self._middleware: list[tuple[str, Middleware]] = []
        self._built: tuple[frozenset[str], ASGIApp] | None = None

    def add_routes(self, plugin: str, routes: Iterable[BaseRoute]) -> None:
        """Serve these, too."""
        self._routes.extend((plugin, route) for route in routes)

    def add_middleware(self, plugin: str, middleware: Iterable[Middleware]) -> None:
        """Wrap everything in these, too."""
        self._middleware.extend((plugin, each) for each in middleware)

    def __bool__(self) -> bool:
        return bool(self._routes or self._middleware)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._built is None or self._built[0] != self._unavailable:
            self._built = frozenset(self._unavailable), self._build()
        if self._middleware and WHOLE in scope.get("extensions", {}):  # it would pass the middleware by
            scope["extensions"] = {name: value for name, value in scope["extensions"].items() if name != WHOLE}
        await self._built[1](scope, receive, send)

    def _build(self) -> ASGIApp:
        pages = Starlette(
            routes=[route for plugin, route in self._routes if plugin not in self._unavailable],
            middleware=[each for plugin, each in self._middleware if plugin not in self._unavailable],
        )
        pages.router.redirect_slashes = False
        pages.router.default = self._api
        return pages
