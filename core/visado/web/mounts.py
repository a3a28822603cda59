"""What plugins serve beside the API and wrap around it: Starlette's routes and middleware."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from visado.plugins.manager import Plugin


async def _no_application(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand for the application while a middleware is made to see that it can be."""


class Mounts:
    """Routes and middleware by plugin. Those of unavailable plugins are left out."""

    def __init__(self, unavailable: AbstractSet[str]) -> None:
        self._unavailable = unavailable
        self._routes: list[tuple[str, BaseRoute]] = []
        self._middleware: list[tuple[str, Middleware]] = []

    def add_routes(self, plugin: Plugin, routes: Iterable[BaseRoute]) -> None:
        """Serve the routes of a plugin, before those of the API."""
        new = list(routes)  # a plugin that fails halfway brings nothing
        self._routes.extend((plugin.name, route) for route in new)
        plugin.note("route", [getattr(each, "path", "?") for each in new])

    def add_middleware(self, plugin: Plugin, middleware: Iterable[Middleware]) -> None:
        """Wrap the middleware of a plugin around the whole application."""
        new = list(middleware)
        for cls, args, kwargs in new:
            cls(_no_application, *args, **kwargs)  # one that cannot be made quarantines the plugin, not each request
        self._middleware.extend((plugin.name, each) for each in new)
        plugin.note("middleware", [getattr(each.cls, "__name__", "?") for each in new])

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the plugins that are available now."""
        return [route for plugin, route in self._routes if plugin not in self._unavailable]

    def middleware(self) -> list[Middleware]:
        """Return the middleware of the plugins that are available now, the outermost first."""
        return [each for plugin, each in self._middleware if plugin not in self._unavailable]
