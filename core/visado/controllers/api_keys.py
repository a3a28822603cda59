"""`security`: API keys of any user."""

from __future__ import annotations

from visado.arguments import BodyText, Duration, Id, Integer, Text
from visado.controller import Controller, action, delete, post
from visado.controllers import results
from visado.request import Request
from visado.search.cursors import Searches
from visado.security.tokens.api_keys import ApiKeys, listed
from visado.security.users.users import Users
from visado.settings.durations import FOREVER


class ApiKeysController(Controller):
    """The API keys of users, as an administrator sees them."""

    name = "security"

    def __init__(self, api_keys: ApiKeys, users: Users, searches: Searches) -> None:
        self._api_keys, self._users, self._searches = api_keys, users, searches

    @action(post("/users/:userId/api-keys/_create"), example={"description": "the build server"})
    async def create_api_key(
        self,
        request: Request,
        user_id: Id,
        description: BodyText,
        id: Id | None = None,
        expires_in: Duration = None,
    ) -> results.Document:
        """Make an API key for a user. Its text is in this answer, and nowhere else."""
        user = await self._users.find(user_id)
        return await self._api_keys.create(
            user.id, description, author=request.user.id, id=id, expires_in=expires_in, longest=FOREVER
        )

    @action(post("/users/:userId/api-keys/_search"))
    async def search_api_keys(
        self,
        request: Request,
        user_id: Id,
        from_: Integer = 0,
        size: Integer = 10,
        lang: Text = "elasticsearch",
    ) -> results.Found:
        """Search the API keys of a user; the body is the query itself."""
        page = await self._api_keys.search(user_id, self._searches.bare_query(request.fields, lang, from_, size))
        return {"hits": [listed(*hit) for hit in page.hits], "total": page.total}

    @action(delete("/users/:userId/api-keys/:_id"))
    async def delete_api_key(self, request: Request, user_id: Id, id: Id) -> results.Deleted:
        """End an API key of a user."""
        await self._api_keys.delete(user_id, id)
        return {"_id": id}
