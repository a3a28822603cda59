"""`security`: credentials of any strategy."""

from __future__ import annotations

from typing import Any

from visado import errors
from visado.arguments import Body, Id, Integer, Text
from visado.codec import is_object
from visado.controller import Controller, action, delete, get, post, put
from visado.controllers import results
from visado.request import Request
from visado.search.cursors import Searches
from visado.search.translate import as_elasticsearch
from visado.security.logins.strategies import Strategies
from visado.security.users.users import Users


class CredentialsController(Controller):
    """The credentials of users, as an administrator sees them."""

    name = "security"

    def __init__(self, users: Users, strategies: Strategies, searches: Searches) -> None:
        self._users, self._strategies, self._searches = users, strategies, searches

    @action(get("/credentials/:strategy/:_id"))
    async def get_credentials(self, request: Request, strategy: Text, id: Id) -> results.Object:
        """Show what may be shown of a user's credentials."""
        return await self._strategies.run(strategy, lambda each: each.info(id))

    @action(get("/credentials/:strategy/:_id/_byId"))
    async def get_credentials_by_id(self, request: Request, strategy: Text, id: Id) -> results.Object:
        """Show what may be shown of the credentials under a subject, such as a user name."""
        return await self._strategies.run(strategy, lambda each: each.by_id(id))

    @action(get("/credentials/:strategy/:_id/_exists"))
    async def has_credentials(self, request: Request, strategy: Text, id: Id) -> results.YesNo:
        """Say whether a user has credentials of a strategy."""
        return await self._strategies.run(strategy, lambda each: each.exists(id))

    @action(get("/credentials/:strategy/_fields"))
    async def get_credential_fields(self, request: Request, strategy: Text) -> results.Names:
        """List the fields that a strategy's credentials have."""
        return list(self._strategies.find(strategy).fields)

    @action(get("/credentials/_fields"))
    async def get_all_credential_fields(self, request: Request) -> results.Object:
        """List the fields of every strategy's credentials."""
        return {name: list(strategy.fields) for name, strategy in self._strategies.items()}

    @action(post("/credentials/:strategy/:_id/_create"))
    async def create_credentials(self, request: Request, id: Id, body: Body, strategy: Text) -> results.Object:
        """Give a user credentials of a strategy."""
        self._strategies.find(strategy)
        await self._users.find(id)
        return await self._strategies.create(strategy, id, body)

    @action(put("/credentials/:strategy/:_id/_update"))
    async def update_credentials(self, request: Request, id: Id, body: Body, strategy: Text) -> results.Object:
        """Change a user's credentials of a strategy."""
        self._strategies.find(strategy)
        await self._users.find(id)
        return await self._strategies.update(strategy, id, body)

    @action(post("/credentials/:strategy/:_id/_validate"))
    async def validate_credentials(
        self, request: Request, body: Body, strategy: Text, id: Id | None = None
    ) -> results.YesNo:
        """Say whether a user could be given these credentials."""
        await self._strategies.run(strategy, lambda each: each.validate(id or "", body, update=False))
        return True

    @action(delete("/credentials/:strategy/:_id"))
    async def delete_credentials(self, request: Request, id: Id, strategy: Text) -> results.Acknowledged:
        """Take a user's credentials of a strategy; tokens stay."""
        await self._strategies.delete(strategy, id)
        return {"acknowledged": True}

    @action(post("/credentials/:strategy/users/_search"))
    async def search_users_by_credentials(
        self,
        request: Request,
        strategy: Text,
        lang: Text = "elasticsearch",
        from_: Integer = 0,
        size: Integer = 10,
    ) -> results.Found:
        """Search users by their credentials of a strategy, as far as it lets them be searched."""
        checked = self._searches.query({}, lang, from_, size)
        self._strategies.find(strategy)
        fields = request.fields
        query: Any = fields.get("query") or {}
        if not is_object(query):
            raise errors.InvalidType(argument="body.query", expected="object")
        asked = as_elasticsearch(query, lang)
        return await self._strategies.run(
            strategy,
            lambda each: each.search(asked, sort=fields.get("sort"), offset=checked.offset, limit=size),
        )
