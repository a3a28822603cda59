"""`auth`: login, logout, tokens and the current user."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final

from visado import errors, events
from visado.arguments import DURATION, ArgumentReading, Body, BodyText, Flag, Integer, StrictDuration, Text
from visado.codec import is_object
from visado.controller import ANYBODY, Controller, action, get, post, put
from visado.controllers.login_replies import (
    cleared_cookie,
    login_reply,
    redirect_reply,
    token_reply,
    uses_cookie,
)
from visado.controllers.result_types import (
    AllowedResult,
    CurrentUserResult,
    DocumentResult,
    LoginFormsResult,
    LoginResult,
    LogoutResult,
    NamesResult,
    NewTokenResult,
    SearchResult,
    TokenStateResult,
)
from visado.kuzzle import is_allowed
from visado.plugins.calls import get_problem
from visado.plugins.outcomes import is_json
from visado.request import Request, Token
from visado.response import Reply
from visado.security.access import Access
from visado.security.documents import format_document
from visado.security.logins.logins import Logins
from visado.security.observers import Observers
from visado.security.rights import rights
from visado.security.strategies.login_forms import describe_login_form
from visado.security.strategies.strategies import Strategies
from visado.security.strategies.strategy_credentials import StrategyCredentials
from visado.security.tokens.issuing import IssuedToken, TokenOrigin, check_unlimited
from visado.settings.durations import FOREVER
from visado.strategy import Redirect

_PROTECTED_MEMBERS: Final = ("_id", "profileIds")
"""The members of a user that `auth:updateSelf` does not change."""


class AuthController(Controller):
    """The actions with which users log in, log out and manage themselves."""

    name = "auth"

    def __init__(
        self,
        access: Access,
        strategies: Strategies,
        credentials: StrategyCredentials,
        logins: Logins,
        observers: Observers,
    ) -> None:
        self._access, self._strategies, self._credentials = access, strategies, credentials
        self._logins, self._observers = logins, observers
        self._users, self._tokens = access.users, access.tokens
        self._renewing: set[str] = set()
        """The ids of the tokens whose sessions a strategy renews now."""

    # -- login and logout

    @action(get("/strategies"), cacheable=True)
    async def get_strategies(self, request: Request) -> NamesResult:
        """List the names of the strategies with which users can log in."""
        return list(self._strategies)

    @action(get("/_loginForms"), extension=True, open_to=ANYBODY)
    async def get_login_forms(self, request: Request) -> LoginFormsResult:
        """List what a login page may show: the strategies with their titles, icons and forms.

        `form` is the JSON schema of the members of the login's body; null: the login starts without any, for instance
        with a redirect. Strategies that are not for strangers, and those that cannot work now, are left out.
        """
        listed = (each for each in self._strategies.values() if each.listed and get_problem(each) is None)
        return [describe_login_form(each) for each in listed]

    @action(
        get("/_login/:strategy"),
        post("/_login/:strategy"),
        post("/_login", listed=False),
        cookie="ignored",
        rate_limit="login",
        responses={302: "The strategy redirects the browser to the address in `Location`."},
        example={"username": "melis", "password": "password"},
    )
    async def login(
        self,
        request: Request,
        strategy: Text | None = None,
        expires_in: Annotated[Any, DURATION, ArgumentReading.DEFERRED] = None,
        cookie_auth: Flag | None = None,
    ) -> LoginResult:
        """Log in with a strategy and receive a token.

        The body contains the credentials that the strategy needs, such as `username` and `password`. `strategy` is
        `local` by default. `expiresIn` is the token's lifetime. Both may also be members of the body. With
        `cookieAuth`, over HTTP but GET, the token is sent in the cookie `authToken` and not in the body.

        When the response is the error `security.login.challenged`, send the login again: the body then contains the
        reference of the challenge as `challenge`, and the data that the challenge asks for.
        """
        name = strategy if strategy is not None else request.fields.get("strategy", "local")
        if not isinstance(name, str):
            raise errors.InvalidType(argument="body.strategy", expected="string")
        lifetime = request.fields.get("expiresIn") if expires_in is None else expires_in
        outcome = await self._logins.log_in(request, name, lifetime)
        if isinstance(outcome, Redirect):
            return redirect_reply(request, outcome)
        # A link of another site sends a GET: it must not give a visitor the cookie of somebody else.
        may_set = request.method not in ("GET", "HEAD")
        return login_reply(request, outcome, cookie_auth=may_set and uses_cookie(request, cookie_auth))

    @action(post("/_logout"), cookie="optional", rate_limit="none")
    async def logout(self, request: Request, global_: Flag = False, cookie_auth: Flag = False) -> LogoutResult:
        """Revoke the token of the request, or with `global` all tokens of its user.

        API keys stay valid. The response deletes the cookie `authToken`. `cookieAuth` allows a request without a
        valid token, to delete the cookie only.
        """
        token = request.token
        if token is None and not cookie_auth:
            raise errors.LoginRequired(controller="auth", action="logout")
        location: str | None = None
        if token is not None:
            if global_:
                await self._tokens.delete_all(token.user_id)
            if token.kind == "token":
                await self._tokens.revoke(token)
            self._tokens.connections.unlink(request.connection)
            self._observers.note(events.LoggedOut(target=token.user_id, everywhere=global_))
            location = await self._credentials.logout(request)  # it may take long, and the client may leave meanwhile
        result = {"acknowledged": True} | ({"location": location} if location else {})
        return Reply(result, cookies=(cleared_cookie(request.connection),))

    # -- tokens

    @action(
        post("/_checkToken"),
        cookie="ignored",
        cacheable=True,
        example={"token": "kauth-eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.s"},
    )
    async def check_token(
        self, request: Request, token: BodyText | None = None, cookie_auth: Flag | None = None
    ) -> TokenStateResult:
        """Return whether a token is valid, its user and when it expires.

        The token is the body's `token`; with `cookieAuth` it is the one in the cookie or the header `Authorization`.
        A single-use token stays valid.
        """
        text = (request.cookie or request.jwt) if uses_cookie(request, cookie_auth) else token
        if not text:
            return {"valid": False, "state": "No token."}
        try:
            verified = await self._access.check(text, request)
        except errors.InvalidToken as error:
            request.depends_on = None
            return {"valid": False, "state": error.text}
        return {"valid": True, "expiresAt": verified.expires_at, "kuid": verified.user_id}

    @action(post("/_createToken"))
    async def create_token(
        self, request: Request, expires_in: StrictDuration = None, single_use: Flag = False
    ) -> NewTokenResult:
        """Create another token for the current user.

        `expiresIn` is its lifetime, which must be finite. With `singleUse` the token is valid for one request.
        """
        check_unlimited(request)
        if expires_in == FOREVER:
            raise errors.InvalidExpiration(argument="expiresIn", rule="cannot be infinite")
        origin = self._tokens.derive(request.token) if request.token is not None else TokenOrigin()
        issued = await self._tokens.create(request.user.id, expires_in, single_use=single_use, origin=origin)
        self._observers.note(events.TokenIssued(target=request.user.id))
        token = issued.token
        return {
            "token": issued.text,
            "expiresAt": token.expires_at,
            "ttl": token.ttl,
            "singleUse": single_use,
        }

    @action(post("/_refreshToken"))
    async def refresh_token(
        self,
        request: Request,
        strategy: Text | None = None,
        expires_in: StrictDuration = None,
        cookie_auth: Flag | None = None,
    ) -> LoginResult:
        """Exchange the token of the request for a new one.

        The old token stays valid for the time of the setting `[security.token] grace_period`. `expiresIn` is the
        lifetime of the new token. A `strategy` other than `local` decides whether the token may be refreshed, and for
        how long. With `cookieAuth`, over HTTP, the new token is sent in the cookie `authToken`.
        """
        if request.token is None:
            raise errors.LoginRequired(controller="auth", action="refreshToken")
        if strategy is None or strategy == "local":
            issued = await self._tokens.refresh(request.token, expires_in)
        else:
            issued = await self._renew(request, request.token, strategy, expires_in)
        self._observers.note(events.TokenRefreshed(target=request.user.id))
        if request.connection.transport == "websocket":
            self._tokens.connections.link(request.connection, issued.token)
        return token_reply(request, issued, cookie_auth=uses_cookie(request, cookie_auth))

    async def _renew(self, request: Request, token: Token, strategy: str, expires_in: int | None) -> IssuedToken:
        """Exchange a token for a new one, whose lifetime and session a strategy decides.

        A session is renewed once, also for requests at once: providers end a session whose refresh token is used twice.
        """
        if token.id in self._renewing:
            raise errors.InvalidToken
        self._renewing.add(token.id)
        try:
            await self._tokens.check_unrefreshed(token)
            own = token.strategy == strategy
            session = dict(token.session) if own else {}
            renewed: object = await self._strategies.run(strategy, lambda each: each.refresh(request, session))
            if not is_object(renewed) or not is_json(renewed.get("session", {})):
                raise errors.InvalidOutcome(strategy=strategy)
            lifetime = DURATION.read(renewed.get("expiresIn"), "expiresIn", False) or expires_in
            return await self._tokens.refresh(token, lifetime, renewed.get("session") if own else None)
        finally:
            self._renewing.discard(token.id)

    # -- the current user

    @action(get("/_me"), get("/users/_me", deprecated=True), cacheable=True)
    async def get_current_user(self, request: Request) -> CurrentUserResult:
        """Return the user of the request, and the strategies with which the user can log in.

        The user of a request without a token is the anonymous user, with the id `-1`.
        """
        user = request.user
        return format_document(user.id, user.content) | {"strategies": await self._credentials.strategies_of(user)}

    @action(get("/_me/_rights"), get("/users/_me/_rights", deprecated=True), cacheable=True)
    async def get_my_rights(self, request: Request) -> SearchResult:
        """List the rights of the current user: one item for each action that the user's roles allow or deny.

        For a user who acts as another, the items are what both may do, by `[security] impersonation`.
        """
        return rights.list_rights(await self._access.policies(request))

    @action(post("/_checkRights"), example={"controller": "auth", "action": "getCurrentUser"})
    async def check_rights(self, request: Request, body: Body) -> AllowedResult:
        """Return whether the current user may send the request that is in the body, also as who acts as the user."""
        actor = await self._access.actor(request)
        return {"allowed": is_allowed(body, request, partial(self._access.allows_both, request, actor))}

    @action(put("/_me"), put("/_updateSelf", deprecated=True), login_required=True)
    async def update_self(self, request: Request, body: Body, retry_on_conflict: Integer = 10) -> DocumentResult:
        """Change members of the current user, except its id and its profiles.

        The members in the body replace those of the user; other members stay. `retryOnConflict` has no effect.
        """
        for name in _PROTECTED_MEMBERS:
            if body.get(name):
                raise errors.ForbiddenArgument(argument=f"body.{name}")
        changes = {name: value for name, value in body.items() if name not in _PROTECTED_MEMBERS}
        user = await self._users.merge(request.user.id, changes, request.user.id)
        return format_document(user.id, user.content)
