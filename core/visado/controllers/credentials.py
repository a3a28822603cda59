"""Credentials of the strategies: those of the current user (`auth`) and those of any user (`security`)."""

from __future__ import annotations

from typing import Any

from visado import errors
from visado.arguments import Body, Flag, Id, Integer, Text
from visado.codec import is_object
from visado.controller import Controller, action, delete, get, post, put
from visado.controllers.login_replies import address_as_data, login_reply, redirect_reply, uses_cookie
from visado.controllers.result_types import (
    AcknowledgedResult,
    BooleanResult,
    LoginResult,
    NamesResult,
    ObjectResult,
    SearchResult,
)
from visado.request import Request
from visado.search.searches import Searches
from visado.security.logins.logins import Logins
from visado.security.strategies.strategies import Strategies
from visado.security.strategies.strategy_credentials import StrategyCredentials
from visado.security.tokens.issuing import check_unlimited
from visado.security.users.users import Users
from visado.strategy import Actor, Redirect


class MyCredentialsController(Controller):
    """The credentials of the current user."""

    name = "auth"

    def __init__(self, strategies: Strategies, credentials: StrategyCredentials, logins: Logins) -> None:
        self._strategies, self._credentials, self._logins = strategies, credentials, logins

    @action(
        get("/_me/credentials/:strategy/_exists"),
        get("/credentials/:strategy/_me/_exists", deprecated=True),
        login_required=True,
    )
    async def credentials_exist(self, request: Request, strategy: Text) -> BooleanResult:
        """Return whether the current user has credentials of a strategy."""
        return await self._strategies.run_keeper(strategy, lambda each: each.exists(request.user.id))

    @action(
        get("/_me/credentials/:strategy"),
        get("/credentials/:strategy/_me", deprecated=True),
        login_required=True,
    )
    async def get_my_credentials(self, request: Request, strategy: Text) -> ObjectResult:
        """Return the public part of the current user's credentials of a strategy, such as the user name."""
        return await self._strategies.run_keeper(strategy, lambda each: each.info(request.user.id))

    @action(
        post("/_me/credentials/:strategy/_create"),
        post("/credentials/:strategy/_me/_create", deprecated=True),
        login_required=True,
        personal=True,
    )
    async def create_my_credentials(self, request: Request, strategy: Text, body: Body) -> ObjectResult:
        """Create the current user's credentials of a strategy from the body, and return their public part."""
        return await self._credentials.create(strategy, request.user.id, body, Actor("owner", request))

    @action(
        post("/_me/credentials/:strategy/_link"),
        extension=True,
        login_required=True,
        personal=True,
        rate_limit="login",
        responses={302: "The strategy redirects the browser to the address in `Location`."},
    )
    async def link(self, request: Request, strategy: Text, cookie_auth: Flag | None = None) -> LoginResult:
        """Link an identity to the current user: log in with a strategy, and the identity becomes one of the user's.

        The body is that of `auth:login`. Where the strategy redirects, the result contains the address as `location`;
        a page's form is redirected. A redirect or a challenge is answered at `auth:login`, which then returns a token
        of the current user. A user has one identity of a strategy, and an identity has one user.
        """
        check_unlimited(request)
        if request.token is None or request.token.kind != "token":  # whose end would not end the link
            raise errors.LoginRequired(controller="auth", action="link")
        outcome = await self._logins.log_in(request, strategy, owner=request.user)
        if isinstance(outcome, Redirect):
            return redirect_reply(request, address_as_data(request, outcome))
        return login_reply(request, outcome, cookie_auth=uses_cookie(request, cookie_auth))

    @action(
        put("/_me/credentials/:strategy/_update"),
        put("/credentials/:strategy/_me/_update", deprecated=True),
        login_required=True,
        personal=True,
    )
    async def update_my_credentials(self, request: Request, strategy: Text, body: Body) -> ObjectResult:
        """Change the current user's credentials of a strategy, and return their public part."""
        return await self._credentials.update(strategy, request.user.id, body, Actor("owner", request))

    @action(
        post("/_me/credentials/:strategy/_validate"),
        post("/credentials/:strategy/_me/_validate", deprecated=True),
        login_required=True,
    )
    async def validate_my_credentials(self, request: Request, strategy: Text, body: Body) -> BooleanResult:
        """Return true when the current user could create the credentials in the body; otherwise respond with an error.

        Nothing is stored.
        """
        await self._credentials.validate(strategy, request.user.id, body, Actor("owner", request))
        return True

    @action(
        delete("/_me/credentials/:strategy"),
        delete("/credentials/:strategy/_me", deprecated=True),
        login_required=True,
        personal=True,
    )
    async def delete_my_credentials(self, request: Request, strategy: Text) -> AcknowledgedResult:
        """Delete the current user's credentials of a strategy. Tokens stay valid."""
        await self._credentials.delete(strategy, request.user.id, Actor("owner", request))
        return {"acknowledged": True}


class CredentialsController(Controller):
    """The credentials of any user, for administrators."""

    name = "security"

    def __init__(
        self, users: Users, strategies: Strategies, credentials: StrategyCredentials, searches: Searches
    ) -> None:
        self._users, self._strategies, self._credentials = users, strategies, credentials
        self._searches = searches

    @action(get("/credentials/:strategy/:_id"))
    async def get_credentials(self, request: Request, strategy: Text, id: Id) -> ObjectResult:
        """Return the public part of a user's credentials of a strategy, such as the user name."""
        return await self._strategies.run_keeper(strategy, lambda each: each.info(id))

    @action(get("/credentials/:strategy/:_id/_byId"))
    async def get_credentials_by_id(self, request: Request, strategy: Text, id: Id) -> ObjectResult:
        """Return the public part of the credentials of a subject. `_id` is the subject, such as a user name."""
        return await self._strategies.run_keeper(strategy, lambda each: each.by_id(id))

    @action(get("/credentials/:strategy/:_id/_exists"))
    async def has_credentials(self, request: Request, strategy: Text, id: Id) -> BooleanResult:
        """Return whether a user has credentials of a strategy."""
        return await self._strategies.run_keeper(strategy, lambda each: each.exists(id))

    @action(get("/credentials/:strategy/_fields"))
    async def get_credential_fields(self, request: Request, strategy: Text) -> NamesResult:
        """List the names of the fields of a strategy's credentials."""
        return list(self._strategies.fields(strategy))

    @action(get("/credentials/_fields"))
    async def get_all_credential_fields(self, request: Request) -> ObjectResult:
        """Return the names of the fields of every strategy's credentials, by strategy."""
        return {name: list(self._strategies.fields(name)) for name in self._strategies}

    @action(post("/credentials/:strategy/:_id/_create"))
    async def create_credentials(self, request: Request, id: Id, body: Body, strategy: Text) -> ObjectResult:
        """Create a user's credentials of a strategy from the body, and return their public part."""
        self._strategies.keeper(strategy)
        await self._users.find(id)
        return await self._credentials.create(strategy, id, body, Actor("administrator", request))

    @action(put("/credentials/:strategy/:_id/_update"))
    async def update_credentials(self, request: Request, id: Id, body: Body, strategy: Text) -> ObjectResult:
        """Change a user's credentials of a strategy, and return their public part."""
        self._strategies.keeper(strategy)
        await self._users.find(id)
        return await self._credentials.update(strategy, id, body, Actor("administrator", request))

    @action(post("/credentials/:strategy/:_id/_validate"))
    async def validate_credentials(
        self, request: Request, body: Body, strategy: Text, id: Id | None = None
    ) -> BooleanResult:
        """Return true when the credentials in the body could be created for a user; otherwise respond with an error.

        Nothing is stored.
        """
        await self._credentials.validate(strategy, id or "", body, Actor("administrator", request))
        return True

    @action(delete("/credentials/:strategy/:_id"))
    async def delete_credentials(self, request: Request, id: Id, strategy: Text) -> AcknowledgedResult:
        """Delete a user's credentials of a strategy. Tokens stay valid."""
        await self._credentials.delete(strategy, id, Actor("administrator", request))
        return {"acknowledged": True}

    @action(post("/credentials/:strategy/users/_search"))
    async def search_users_by_credentials(
        self,
        request: Request,
        strategy: Text,
        lang: Text = "elasticsearch",
        from_: Integer = 0,
        size: Integer = 10,
    ) -> SearchResult:
        """Search users by their credentials of a strategy, if the strategy supports a search.

        The body contains `query`, in the language `lang` (`elasticsearch` or `koncorde`), and `sort`. `from` is the
        number of matches to skip and `size` the number of matches to return.
        """
        self._searches.query({}, lang, from_, size)
        self._strategies.keeper(strategy)
        fields = request.fields
        query: Any = fields.get("query") or {}
        if not is_object(query):
            raise errors.InvalidType(argument="body.query", expected="object")
        return await self._strategies.run_keeper(
            strategy,
            lambda each: each.search(query, lang=lang, sort=fields.get("sort"), offset=from_, limit=size),
        )
