"""`auth`: my credentials and my API keys."""

from __future__ import annotations

from visado import errors
from visado.arguments import Body, BodyText, Duration, Id, Integer, Text
from visado.controller import Controller, action, delete, get, post, put
from visado.controllers import results
from visado.request import Request, User
from visado.search.cursors import Searches
from visado.security.logins.strategies import Strategies
from visado.security.tokens.api_keys import ApiKeys, listed
from visado.settings.loading import Settings
from visado.settings.sections import SecuritySection


class OwnController(Controller):
    """What a user does with credentials and API keys of its own."""

    name = "auth"

    def __init__(self, strategies: Strategies, api_keys: ApiKeys, searches: Searches, settings: Settings) -> None:
        self._strategies, self._api_keys, self._searches = strategies, api_keys, searches
        self._api_key_max_ttl = settings[SecuritySection].api_key_max_ttl

    # -- my credentials

    @action(
        get("/_me/credentials/:strategy/_exists"),
        get("/credentials/:strategy/_me/_exists", deprecated=True),
    )
    async def credentials_exist(self, request: Request, strategy: Text) -> results.YesNo:
        """Say whether I have credentials of a strategy."""
        user = somebody(request, "credentialsExist")
        return await self._strategies.run(strategy, lambda each: each.exists(user.id))

    @action(get("/_me/credentials/:strategy"), get("/credentials/:strategy/_me", deprecated=True))
    async def get_my_credentials(self, request: Request, strategy: Text) -> results.Object:
        """Show what may be shown of my credentials of a strategy."""
        user = somebody(request, "getMyCredentials")
        return await self._strategies.run(strategy, lambda each: each.info(user.id))

    @action(
        post("/_me/credentials/:strategy/_create"),
        post("/credentials/:strategy/_me/_create", deprecated=True),
    )
    async def create_my_credentials(self, request: Request, strategy: Text, body: Body) -> results.Object:
        """Give myself credentials of a strategy."""
        user = somebody(request, "createMyCredentials")
        return await self._strategies.create(strategy, user.id, body)

    @action(
        put("/_me/credentials/:strategy/_update"),
        put("/credentials/:strategy/_me/_update", deprecated=True),
    )
    async def update_my_credentials(self, request: Request, strategy: Text, body: Body) -> results.Object:
        """Change my credentials of a strategy."""
        user = somebody(request, "updateMyCredentials")
        return await self._strategies.update(strategy, user.id, body)

    @action(
        post("/_me/credentials/:strategy/_validate"),
        post("/credentials/:strategy/_me/_validate", deprecated=True),
    )
    async def validate_my_credentials(self, request: Request, strategy: Text, body: Body) -> results.YesNo:
        """Say whether I could give myself these credentials."""
        user = somebody(request, "validateMyCredentials")
        await self._strategies.run(strategy, lambda each: each.validate(user.id, body, update=False))
        return True

    @action(delete("/_me/credentials/:strategy"), delete("/credentials/:strategy/_me", deprecated=True))
    async def delete_my_credentials(self, request: Request, strategy: Text) -> results.Acknowledged:
        """Give up my credentials of a strategy; my tokens stay."""
        user = somebody(request, "deleteMyCredentials")
        await self._strategies.delete(strategy, user.id)
        return {"acknowledged": True}

    # -- my API keys

    @action(post("/api-keys/_create"), example={"description": "the build server"})
    async def create_api_key(
        self, request: Request, description: BodyText, id: Id | None = None, expires_in: Duration = None
    ) -> results.Document:
        """Make an API key of mine. Its text is in this answer, and nowhere else."""
        user = somebody(request, "createApiKey")
        return await self._api_keys.create(
            user.id,
            description,
            author=user.id,
            id=id,
            expires_in=expires_in,
            longest=self._api_key_max_ttl,
        )

    @action(post("/api-keys/_search"))
    async def search_api_keys(
        self, request: Request, from_: Integer = 0, size: Integer = 10, lang: Text = "elasticsearch"
    ) -> results.Found:
        """Search my API keys; the body is the query itself."""
        query = self._searches.bare_query(request.fields, lang, from_, size)
        page = await self._api_keys.search(request.user.id, query)
        return {"hits": [listed(*hit) for hit in page.hits], "total": page.total}

    @action(delete("/api-keys/:_id"))
    async def delete_api_key(self, request: Request, id: Id) -> results.Deleted:
        """End an API key of mine."""
        await self._api_keys.delete(request.user.id, id)
        return {"_id": id}


def somebody(request: Request, name: str) -> User:
    """Whoever asks, unless that is everybody. Raises `LoginRequired`."""
    if request.user.anonymous:
        raise errors.LoginRequired(controller="auth", action=name)
    return request.user
