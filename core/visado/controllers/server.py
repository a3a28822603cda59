"""`server`: the description and the state of the host."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import quote

from visado import errors
from visado.arguments import List, Text
from visado.controller import ActionTable, Controller, action, get
from visado.controllers.openapi import OpenApi
from visado.controllers.result_types import ExistsResult, HealthResult, InfoResult, ObjectResult, TimeResult
from visado.host import Clock
from visado.kuzzle import PROTOCOL_VERSION
from visado.metrics import CONTENT_TYPE, Metrics
from visado.plugins.calls import get_problem
from visado.plugins.manager import Plugins
from visado.request import Request
from visado.response import Reply
from visado.security.observers import Observers
from visado.security.strategies.strategies import Strategies
from visado.security.tokens.token_verifiers import TokenVerifiers
from visado.security.users.users import Users
from visado.settings.loading import Settings
from visado.settings.sections import LimitsSection, SecuritySection
from visado.storage.versions import VersionedStorage

_SERVICES: Final = ("storage", "plugins")


@dataclass(frozen=True, slots=True)
class Health:
    """The parts of the host that can fail: the storage, plugins, strategies, token verifiers and observers."""

    storage: VersionedStorage
    plugins: Plugins
    strategies: Strategies
    token_verifiers: TokenVerifiers
    observers: Observers

    async def state(self, service: str) -> str:
        """Return `green` or `red`, for the service `plugins` or `storage`."""
        if service == "plugins":
            quarantined = any(each.state == "quarantined" for each in self.plugins)
            blocked = any(each.essential and get_problem(each) for _, each in self.observers)  # then every login fails
            return "red" if quarantined or blocked else "green"
        try:
            await self.storage.check()
        except Exception:
            return "red"
        return "green"


class ServerController(Controller):
    """The host's description, its state and its metrics."""

    name = "server"

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        users: Users,
        health: Health,
        metrics: Metrics,
        table: Callable[[], ActionTable],
    ) -> None:
        self._settings, self._clock, self._users, self._health = settings, clock, users, health
        self._metrics, self._table, self._openapi = metrics, table, OpenApi(table)

    @action(get("/_adminExists"))
    async def admin_exists(self, request: Request) -> ExistsResult:
        """Return whether the host has an administrator."""
        return {"exists": await self._users.admin_exists()}

    @action(get("/_getConfig"))
    async def get_config(self, request: Request) -> ObjectResult:
        """Return the settings, except the section `security`. Secrets are replaced with asterisks."""
        settings = self._settings.public()
        del settings[SecuritySection.name]
        return settings | {"version": PROTOCOL_VERSION, "cluster": {"enabled": False}}

    @action(get("/_capabilities"))
    async def capabilities(self, request: Request) -> ObjectResult:
        """Return the host's limits, plugins, routes and versions."""
        return {
            "limits": self._settings[LimitsSection].model_dump(),
            "plugins": {each.name: {"version": each.version} for each in self._health.plugins},
            "routes": self._table().public(),
            "services": {
                "storage": {"backend": type(self._health.storage.inner).__name__, "version": version("visado")}
            },
            "version": PROTOCOL_VERSION,
        }

    @action(get("/"), get("/_serverInfo"))
    async def info(self, request: Request) -> InfoResult:
        """Return the host's versions, routes and uptime, and the state of its plugins and of their parts."""
        kuzzle: dict[str, Any] = {
            "api": {"routes": self._table().public()},
            "application": {"name": "visado", "version": version("visado")},
            "memoryUsed": _memory_used(),
            "nodeVersion": f"python {platform.python_version()}",
            "observers": {plugin: get_problem(each) or "ready" for plugin, each in self._health.observers},
            "plugins": {each.name: each.as_dict() for each in self._health.plugins},
            "strategies": {name: get_problem(each) or "ready" for name, each in self._health.strategies.items()},
            "system": {"cpus": os.cpu_count(), "platform": sys.platform},
            "tokenVerifiers": {each.name: get_problem(each) or "ready" for each in self._health.token_verifiers},
            "uptime": f"{self._metrics.uptime:.0f}s",
            "version": PROTOCOL_VERSION,
        }
        return {"serverInfo": {"kuzzle": kuzzle, "services": {"publicStorage": {"version": version("visado")}}}}

    @action(get("/_healthCheck"))
    async def health_check(self, request: Request, services: List | None = None) -> HealthResult:
        """Return the state of each part of the host, `green` or `red`.

        `services` selects `storage`, `plugins` or both, which is the default. If one of them is red, the response is
        the error `core.fatal.service_unavailable` with the same result.
        """
        states = {name: await self._health.state(name) for name in services or _SERVICES if name in _SERVICES}
        red = [name for name, state in states.items() if state == "red"]
        result = {"status": "red" if red else "green", "services": states}
        if red:
            raise errors.ServiceDown(", ".join(red), result)
        return result

    @action(get("/_now"))
    async def now(self, request: Request) -> TimeResult:
        """Return the host's time, in milliseconds since 1970."""
        return {"now": self._clock()}

    @action(get("/_publicApi", deprecated=True), cacheable=True)
    async def public_api(self, request: Request) -> ObjectResult:
        """List every action of the wire contract and of the plugins with its routes, by controller.

        Clients choose their routes from it. Unlisted routes and extensions are omitted.
        """
        return self._table().public()

    @action(get("/_openapi"), media_type="application/json")
    async def openapi(self, request: Request, format: Text = "json", scope: Text = "kuzzle") -> Any:
        """Return an OpenAPI 3.1 document of every action, without an envelope.

        `format` is `json` or `yaml`. `scope` has no effect; it is `kuzzle` or `app`.
        """
        if scope not in ("kuzzle", "app"):
            raise errors.UnexpectedArgument(argument=scope, accepted="kuzzle, app")
        document = {**self._openapi.document(), "servers": [{"url": quote(request.connection.base_path) or "/"}]}
        if format == "json":
            return document
        # JSON is YAML, too.
        return Reply(document, headers={"Content-Type": "application/yaml"}, raw=True)

    @action(get("/_metrics"), media_type=CONTENT_TYPE)
    async def metrics(self, request: Request) -> Any:
        """Return the host's metrics in the text format of Prometheus, without an envelope."""
        return self._metrics.text()


def _memory_used() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
