"""API keys: those of the current user (`auth`) and those of any user (`security`)."""

from __future__ import annotations

from visado.arguments import BodyText, Duration, Id, Integer, Text
from visado.controller import Controller, action, delete, post
from visado.controllers.result_types import DeletedResult, DocumentResult, SearchResult
from visado.request import Request
from visado.search.searches import Searches
from visado.security.tokens.api_keys import ApiKeys, format_api_key
from visado.security.tokens.issuing import check_unlimited
from visado.security.users.users import Users
from visado.settings.durations import FOREVER


class MyApiKeysController(Controller):
    """The API keys of the current user."""

    name = "auth"

    def __init__(self, api_keys: ApiKeys, searches: Searches, max_ttl: int) -> None:
        """`max_ttl` is the longest lifetime in milliseconds, or -1 for any."""
        self._api_keys, self._searches, self._max_ttl = api_keys, searches, max_ttl

    @action(post("/api-keys/_create"), login_required=True, personal=True, example={"description": "the build server"})
    async def create_api_key(
        self, request: Request, description: BodyText, id: Id | None = None, expires_in: Duration = None
    ) -> DocumentResult:
        """Create an API key for the current user.

        Only this response contains the key, as `_source.token`. `expiresIn` is its lifetime; by default the key never
        expires. `_id` is chosen by the host if the request has none.
        """
        check_unlimited(request)
        user_id = request.user.id
        return await self._api_keys.create(
            user_id, description, author=user_id, id=id, expires_in=expires_in, max_ttl=self._max_ttl
        )

    @action(post("/api-keys/_search"))
    async def search_api_keys(
        self, request: Request, from_: Integer = 0, size: Integer = 10, lang: Text = "elasticsearch"
    ) -> SearchResult:
        """Search the API keys of the current user.

        The body is the query, in the language `lang`: `elasticsearch` or `koncorde`. `from` is the number of matches to
        skip and `size` the number of matches to return.
        """
        query = self._searches.bare_query(request.fields, lang, from_, size)
        page = await self._api_keys.search(request.user.id, query)
        return {"hits": [format_api_key(*hit) for hit in page.hits], "total": page.total}

    @action(delete("/api-keys/:_id"), personal=True)
    async def delete_api_key(self, request: Request, id: Id) -> DeletedResult:
        """Revoke an API key of the current user."""
        await self._api_keys.delete(request.user.id, id)
        return {"_id": id}


class ApiKeysController(Controller):
    """The API keys of any user, for administrators."""

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
    ) -> DocumentResult:
        """Create an API key for a user.

        Only this response contains the key, as `_source.token`. `expiresIn` is its lifetime; by default the key never
        expires. `_id` is chosen by the host if the request has none.
        """
        user = await self._users.find(user_id)
        if user.id == request.user.id:
            check_unlimited(request)
        return await self._api_keys.create(
            user.id, description, author=request.user.id, id=id, expires_in=expires_in, max_ttl=FOREVER
        )

    @action(post("/users/:userId/api-keys/_search"))
    async def search_api_keys(
        self,
        request: Request,
        user_id: Id,
        from_: Integer = 0,
        size: Integer = 10,
        lang: Text = "elasticsearch",
    ) -> SearchResult:
        """Search the API keys of a user.

        The body is the query, in the language `lang`: `elasticsearch` or `koncorde`. `from` is the number of matches to
        skip and `size` the number of matches to return.
        """
        page = await self._api_keys.search(user_id, self._searches.bare_query(request.fields, lang, from_, size))
        return {"hits": [format_api_key(*hit) for hit in page.hits], "total": page.total}

    @action(delete("/users/:userId/api-keys/:_id"))
    async def delete_api_key(self, request: Request, user_id: Id, id: Id) -> DeletedResult:
        """Revoke an API key of a user."""
        await self._api_keys.delete(user_id, id)
        return {"_id": id}
