"""Two controllers of one name."""

from __future__ import annotations

from visado.arguments import Text
from visado.controller import Controller, action, delete, get, post, put
from visado.request import Request


class Zoo(Controller):
    name = "zoo"

    @action(get("/zoo/:animal"), post("/zoo", listed=False))
    async def m_get_animals(self, request: Request, animal: Text = "all") -> str:
        """Show animals.

        All of them.
        """
        return animal

    @action(get("/zoo/_all"))
    async def all_(self, request: Request) -> None:
        """Show all."""

    @action(put("/zoo/:animal/:cage"), delete("/zoo/:animal/:cage"))
    async def move(self, request: Request) -> None:
        """Move."""

    async def helper(self) -> None:
        """No action."""


class Aviary(Controller):
    name = "zoo"

    @action(get("/aviary"))
    async def birds(self, request: Request) -> None:
        """Show birds."""
