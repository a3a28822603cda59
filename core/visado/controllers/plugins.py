"""`security`: plugins and strategies, changed while the host runs. Not in the wire contract: visado's own."""

from __future__ import annotations

from visado.arguments import Body, BodyObject, BodyText, Text
from visado.controller import Controller, action, delete, get, post, put
from visado.controllers import results
from visado.plugins.manager import Plugins
from visado.plugins.switching import Switches
from visado.request import Request
from visado.security.logins.added_strategies import AddedStrategies


class PluginsController(Controller):
    """What is installed, and what of it is at work."""

    name = "security"

    def __init__(self, plugins: Plugins, switches: Switches, added_strategies: AddedStrategies) -> None:
        self._plugins, self._switches, self._added = plugins, switches, added_strategies

    @action(get("/plugins"), extension=True)
    async def list_plugins(self, request: Request) -> results.Object:
        """List the plugins, what each brings or why it does not work, and the kinds of strategies to add.

        `problems` are the added strategies that cannot be made at present, with the reason.
        """
        return {
            "plugins": {each.name: each.shown() for each in self._plugins},
            "kinds": self._added.kinds,
            "problems": dict(self._added.problems),
        }

    @action(post("/plugins/:plugin/_disable"), extension=True)
    async def disable_plugin(self, request: Request, plugin: Text) -> results.Object:
        """Switch a plugin off: from the next request on, nothing of it is there. It stays off after a restart."""
        return (await self._switches.off(plugin)).shown()

    @action(post("/plugins/:plugin/_enable"), extension=True)
    async def enable_plugin(self, request: Request, plugin: Text) -> results.Object:
        """Switch a plugin on again that was switched off, or quarantined at work."""
        return (await self._switches.on(plugin)).shown()

    @action(get("/strategies/:strategy"), extension=True)
    async def get_strategy(self, request: Request, strategy: Text) -> results.Object:
        """Show a strategy, with its settings where an administrator has added it: secrets as stars."""
        return {"name": strategy, **await self._added.find(strategy)}

    @action(post("/strategies/:strategy/_validate"), extension=True)
    async def validate_strategy(
        self, request: Request, strategy: Text, kind: BodyText, settings: BodyObject
    ) -> results.YesNo:
        """Rehearse a strategy: make it, open it, and check that it would work. Nothing is kept."""
        rehearsed, _ = await self._added.rehearse(strategy, kind, settings)
        await self._added.dismiss(rehearsed)
        return True

    @action(post("/strategies/:strategy/_create"), extension=True)
    async def create_strategy(
        self, request: Request, strategy: Text, kind: BodyText, settings: BodyObject
    ) -> results.Object:
        """Add a strategy of a kind, after a rehearsal: the next request can log in with it."""
        await self._added.create(strategy, kind, settings)
        return {"name": strategy, **await self._added.find(strategy)}

    @action(put("/strategies/:strategy/_update"), extension=True)
    async def update_strategy(self, request: Request, strategy: Text, body: Body) -> results.Object:
        """Change settings of a strategy that was added, after a rehearsal; null puts one back to its default."""
        await self._added.update(strategy, body)
        return {"name": strategy, **await self._added.find(strategy)}

    @action(delete("/strategies/:strategy"), extension=True)
    async def delete_strategy(self, request: Request, strategy: Text) -> results.Acknowledged:
        """Remove a strategy that was added; credentials and tokens stay."""
        await self._added.delete(strategy)
        return {"acknowledged": True}
