"""`security`: plugins and strategies, which administrators change while the host runs.

All actions are extensions: the wire contract has none of them.
"""

from __future__ import annotations

from visado.arguments import Body, BodyObject, BodyText, Text
from visado.controller import Controller, action, delete, get, post, put
from visado.controllers.result_types import AcknowledgedResult, BooleanResult, ObjectResult
from visado.plugins.manager import Plugins
from visado.plugins.switching import Switches
from visado.request import Request
from visado.security.strategies.added_strategies import AddedStrategies
from visado.security.strategies.strategy_kinds import StrategyKinds


class PluginsController(Controller):
    """Installed plugins, and strategies that administrators add."""

    name = "security"

    def __init__(
        self, plugins: Plugins, switches: Switches, kinds: StrategyKinds, added_strategies: AddedStrategies
    ) -> None:
        self._plugins, self._switches, self._kinds, self._added = plugins, switches, kinds, added_strategies

    @action(get("/plugins"), extension=True)
    async def list_plugins(self, request: Request) -> ObjectResult:
        """List the installed plugins, the kinds of strategies that can be added, and added strategies that do not work.

        `plugins` contains, by name, each plugin's state and what it provides, or why it does not work. `problems`
        contains the reason for each added strategy that could not be built.
        """
        return {
            "plugins": {each.name: each.as_dict() for each in self._plugins},
            "kinds": self._kinds.names,
            "problems": dict(self._added.problems),
        }

    @action(post("/plugins/:plugin/_disable"), extension=True)
    async def disable_plugin(self, request: Request, plugin: Text) -> ObjectResult:
        """Disable a plugin, from the next request on, and return its state. It stays disabled after a restart."""
        return (await self._switches.disable(plugin)).as_dict()

    @action(post("/plugins/:plugin/_enable"), extension=True)
    async def enable_plugin(self, request: Request, plugin: Text) -> ObjectResult:
        """Enable a plugin that was disabled, or quarantined while the host was running, and return its state."""
        return (await self._switches.enable(plugin)).as_dict()

    @action(get("/strategies/:strategy"), extension=True)
    async def get_strategy(self, request: Request, strategy: Text) -> ObjectResult:
        """Return a strategy, and the settings of an added strategy. Secrets are replaced with asterisks."""
        return {"name": strategy, **await self._added.describe(strategy)}

    @action(post("/strategies/:strategy/_validate"), extension=True)
    async def validate_strategy(
        self, request: Request, strategy: Text, kind: BodyText, settings: BodyObject
    ) -> BooleanResult:
        """Return true when a strategy of this kind works with these settings; otherwise respond with an error.

        The strategy is built, opened and closed. Nothing is stored.
        """
        await self._added.validate(strategy, kind, settings)
        return True

    @action(post("/strategies/:strategy/_create"), extension=True)
    async def create_strategy(
        self, request: Request, strategy: Text, kind: BodyText, settings: BodyObject
    ) -> ObjectResult:
        """Add a strategy, with which users can log in from the next request on.

        `kind` and `settings` are checked as `security:validateStrategy` does. Return the strategy with its settings.
        """
        await self._added.add(kind, strategy, settings)
        return {"name": strategy, **await self._added.describe(strategy)}

    @action(put("/strategies/:strategy/_update"), extension=True)
    async def update_strategy(self, request: Request, strategy: Text, body: Body) -> ObjectResult:
        """Change settings of an added strategy. A setting that is null in the body returns to its default.

        The new settings are checked as `security:validateStrategy` does. Return the strategy with its settings.
        """
        await self._added.update(strategy, body)
        return {"name": strategy, **await self._added.describe(strategy)}

    @action(delete("/strategies/:strategy"), extension=True)
    async def delete_strategy(self, request: Request, strategy: Text) -> AcknowledgedResult:
        """Delete an added strategy. Credentials and tokens stay."""
        await self._added.remove(strategy)
        return {"acknowledged": True}
