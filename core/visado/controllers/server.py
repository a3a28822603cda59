"""`server`: what the host is, and how it is."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, Final

from visado import errors, metrics
from visado.arguments import List, Text
from visado.controller import ActionTable, Controller, action, get
from visado.controllers import results
from visado.host import Clock
from visado.metrics import Metrics
from visado.plugins.calls import problem
from visado.plugins.manager import Plugins
from visado.request import Fields, Reply, Request
from visado.security.observers import Observers
from visado.security.users.users import Users
from visado.settings.loading import Settings
from visado.settings.sections import LimitsSection, SecuritySection
from visado.storage.versions import VersionedStorage
from visado.strategy import Strategy

PROTOCOL: Final = "2.56.0"
"""The version of the wire contract: the clients' own tools look at its first number."""
_SERVICES: Final = ("storage", "plugins")


class ServerController(Controller):
    """The host itself."""

    name = "server"

    def __init__(
        self,
        users: Users,
        strategies: Mapping[str, Strategy],
        observers: Observers,
        storage: VersionedStorage,
        plugins: Plugins,
        settings: Settings,
        clock: Clock,
        counted: Metrics,
        table: Callable[[], ActionTable],
        describe: Callable[[], Fields],
    ) -> None:
        self._users, self._strategies, self._observers, self._storage = users, strategies, observers, storage
        self._plugins, self._settings = plugins, settings
        self._clock, self._metrics, self._table, self._describe = clock, counted, table, describe

    @action(get("/_adminExists"))
    async def admin_exists(self, request: Request) -> results.Exists:
        """Say whether there is an administrator."""
        return {"exists": await self._users.admin_exists()}

    @action(get("/_getConfig"))
    async def get_config(self, request: Request) -> results.Object:
        """Show the settings: secrets as stars, and nothing of `security`."""
        shown = self._settings.public()
        del shown[SecuritySection.name]
        return shown | {"version": PROTOCOL, "cluster": {"enabled": False}}

    @action(get("/_capabilities"))
    async def capabilities(self, request: Request) -> results.Object:
        """Show what the host can do: limits, plugins, routes."""
        return {
            "limits": self._settings[LimitsSection].model_dump(),
            "plugins": {each.name: {"version": each.version} for each in self._plugins},
            "routes": self._table().public(),
            "services": {"storage": {"backend": type(self._storage.inner).__name__, "version": version("visado")}},
            "version": PROTOCOL,
        }

    @action(get("/"), get("/_serverInfo"))
    async def info(self, request: Request) -> results.Info:
        """Show the host: version, routes, plugins, and how it is doing."""
        kuzzle: dict[str, Any] = {
            "api": {"routes": self._table().public()},
            "application": {"name": "visado", "version": version("visado")},
            "memoryUsed": _memory_used(),
            "nodeVersion": f"python {platform.python_version()}",
            "observers": {plugin: problem(each) or "ready" for plugin, each in self._observers},
            "plugins": {each.name: each.shown() for each in self._plugins},
            "strategies": {name: problem(each) or "ready" for name, each in self._strategies.items()},
            "system": {"cpus": os.cpu_count(), "platform": sys.platform},
            "uptime": f"{self._metrics.uptime:.0f}s",
            "version": PROTOCOL,
        }
        return {"serverInfo": {"kuzzle": kuzzle, "services": {"publicStorage": {"version": version("visado")}}}}

    @action(get("/_healthCheck"))
    async def health_check(self, request: Request, services: List | None = None) -> results.Health:
        """Say how each part of the host is: green or red."""
        found = {name: await self._state(name) for name in services or _SERVICES if name in _SERVICES}
        red = [name for name, state in found.items() if state == "red"]
        result = {"status": "red" if red else "green", "services": found}
        if red:
            raise errors.ServiceDown(", ".join(red), result)
        return result

    async def _state(self, name: str) -> str:
        if name == "plugins":
            ill = any(each.state == "quarantined" for each in self._plugins)
            deaf = any(each.essential and problem(each) for _, each in self._observers)  # no login goes without it
            return "red" if ill or deaf else "green"
        try:
            await self._storage.check()
        except Exception:
            return "red"
        return "green"

    @action(get("/_now"))
    async def now(self, request: Request) -> results.Now:
        """Tell the time, in milliseconds since 1970."""
        return {"now": self._clock()}

    @action(get("/_publicApi", deprecated=True), cacheable=True)
    async def public_api(self, request: Request) -> results.Object:
        """List every action with its routes; clients choose theirs from it."""
        return self._table().public()

    @action(get("/_openapi"))
    async def openapi(self, request: Request, format: Text = "json", scope: Text = "kuzzle") -> Any:
        """Describe every action as an OpenAPI 3.1 document, which comes without an envelope."""
        if scope not in ("kuzzle", "app"):
            raise errors.UnexpectedArgument(argument=scope, accepted="kuzzle, app")
        # JSON is YAML, too.
        kind = "application/json" if format == "json" else "application/yaml"
        return Reply(self._describe(), headers={"Content-Type": kind}, raw=True)

    @action(get("/_metrics"))
    async def metrics(self, request: Request) -> Any:
        """Count requests and more, in Prometheus' text format, without an envelope."""
        return Reply(self._metrics.text(), headers={"Content-Type": metrics.CONTENT_TYPE}, raw=True)


def _memory_used() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
