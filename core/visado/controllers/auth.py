"""`auth`: login, logout, tokens and the current user."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from visado import errors, events
from visado.arguments import DURATION, ArgumentReading, Body, BodyText, Flag, Integer, StrictDuration, Text
from visado.controller import Controller, action, get, post, put
from visado.controllers import browser
from visado.controllers.result_types import (
    AllowedResult,
    CurrentUserResult,
    DocumentResult,
    LoginResult,
    LogoutResult,
    NamesResult,
    NewTokenResult,
    SearchResult,
    TokenStateResult,
)
from visado.login_check import Login
from visado.request import ANONYMOUS_ID, Fields, Malformed, Request, from_payload
from visado.response import Reply
from visado.security.access import Access
from visado.security.documents import format_document
from visado.security.logins.login_result import login_result
from visado.security.logins.logins import CHALLENGE_FIELD, Admission, Logins, answers_challenge
from visado.security.logins.strategies import Strategies
from visado.security.logins.strategy_credentials import StrategyCredentials
from visado.security.observers import Observers
from visado.security.rights import rights
from visado.security.tokens.issuing import IssuedToken
from visado.settings.durations import FOREVER
from visado.strategy import Redirect

_SAFE_URL_CHARACTERS: Final = "%/:=&?~#+!$,;'@()*[]"
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

    # -- login and logout

    @action(get("/strategies"), cacheable=True)
    async def get_strategies(self, request: Request) -> NamesResult:
        """List the names of the strategies with which users can log in."""
        return list(self._strategies)

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
        `cookieAuth`, over HTTP, the token is sent in the cookie `authToken` and not in the body.

        When the response is the error `security.login.challenged`, send the login again: the body then contains the
        reference of the challenge as `challenge`, and the data that the challenge asks for.
        """
        name = strategy if strategy is not None else request.fields.get("strategy", "local")
        if not isinstance(name, str):
            raise errors.InvalidType(argument="body.strategy", expected="string")
        with self._logins.refusals(name if name in self._strategies else None):
            for field in (*self._strategies.find(name).fields, "password"):
                if field in request.args:  # URLs are written to logs
                    raise errors.ForbiddenArgument(argument=field)
        revocations = self._tokens.revocations
        lifetime = request.fields.get("expiresIn") if expires_in is None else expires_in
        admission = await self._admit(request, name, lifetime)
        if isinstance(admission, Redirect):
            return _redirect(admission)
        issued = await self._logins.issue(admission, name, revocations)
        if admission.location is not None:
            reply = self._reply(request, issued, True, admission)
            return _redirect(Redirect(admission.location, cookies=reply.cookies))
        return self._reply(request, issued, _uses_cookie(request, cookie_auth), admission)

    async def _admit(self, request: Request, strategy: str, lifetime: Any) -> Admission | Redirect:
        """Authenticate with the strategy, or continue a challenged login; then run the login checks."""
        if answers_challenge(request):
            return await self._logins.resume(request, strategy)
        with self._logins.refusals(strategy):
            outcome = await self._strategies.authenticate(strategy, request)
        if isinstance(outcome, Redirect):
            return outcome
        user, success = outcome
        location = success.location if request.connection.transport == "http" else None
        admission = Admission(user, cookies=success.cookies, expires_in=lifetime, location=location)
        try:
            return await self._logins.admit(Login(request, user, strategy), admission)
        except errors.LoginChallenged as challenge:
            if location is None:
                raise
            return _challenge_redirect(location, challenge)

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
            location = await self._credentials.logout(request)
            if global_:
                await self._tokens.delete_all(token.user_id)
            if token.kind == "token":
                await self._tokens.revoke(token)
            self._tokens.connections.unlink(request.connection)
            self._observers.note(events.LoggedOut(target=token.user_id, everywhere=global_))
        result = {"acknowledged": True} | ({"location": location} if location else {})
        return Reply(result, cookies=(browser.cleared_cookie(request.connection),))

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
        text = (request.cookie or request.jwt) if _uses_cookie(request, cookie_auth) else token
        if not text:
            return {"valid": False, "state": "No token."}
        try:
            verified = await self._access.verify(text)
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
        if expires_in == FOREVER:
            raise errors.InvalidExpiration(argument="expiresIn", rule="cannot be infinite")
        issued = await self._tokens.create(request.user.id, expires_in, single_use=single_use)
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
        if strategy is not None and strategy != "local":
            renewed = await self._strategies.run(strategy, lambda each: each.refresh(request))
            expires_in = DURATION.read(renewed.get("expiresIn"), "expiresIn", False) or expires_in
        issued = await self._tokens.refresh(request.token, expires_in)
        self._observers.note(events.TokenRefreshed(target=request.user.id))
        return self._reply(request, issued, _uses_cookie(request, cookie_auth))

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
        """List the rights of the current user: one item for each action that the user's roles allow or deny."""
        return rights.list_rights(self._access.rights(request).policies)

    @action(post("/_checkRights"), example={"controller": "auth", "action": "getCurrentUser"})
    async def check_rights(self, request: Request, body: Body) -> AllowedResult:
        """Return whether the current user may send the request that is in the body."""
        return {"allowed": is_allowed(body, request, self._access.rights(request))}

    @action(put("/_me"), put("/_updateSelf", deprecated=True), login_required=True)
    async def update_self(self, request: Request, body: Body, retry_on_conflict: Integer = 10) -> DocumentResult:
        """Change members of the current user, except its id and its profiles.

        The members in the body replace those of the user; other members stay. `retryOnConflict` has no effect.
        """
        for name in _PROTECTED_MEMBERS:
            if body.get(name):
                raise errors.ForbiddenArgument(argument=f"body.{name}")
        changes = {name: value for name, value in body.items() if name not in _PROTECTED_MEMBERS}
        user = await self._users.update(request.user.id, changes, request.user.id)
        return format_document(user.id, user.content)

    def _reply(
        self, request: Request, issued: IssuedToken, cookie_auth: bool, admission: Admission | None = None
    ) -> Reply:
        """Return a reply with a new token: in the result, or in a cookie when `cookie_auth` is set over HTTP."""
        token, connection = issued.token, request.connection
        data, other_cookies = (admission.data, admission.cookies) if admission else ({}, ())
        if connection.transport == "websocket":
            if token.user_id != ANONYMOUS_ID:
                self._tokens.connections.link(connection, token)
            return Reply({**data, **login_result(issued)})
        if not cookie_auth:
            return Reply({**data, **login_result(issued)}, cookies=other_cookies)
        expires_at = None if token.expires_at == FOREVER else token.expires_at
        cookie = browser.token_cookie(issued.text, expires_at, connection)
        return Reply({**data, **login_result(issued, with_text=False)}, cookies=(*other_cookies, cookie))


def _uses_cookie(request: Request, cookie_auth: bool | None) -> bool:
    """Return whether a cookie carries the token: the argument `cookieAuth`, or else whether the request has one."""
    return request.cookie is not None if cookie_auth is None else cookie_auth


def _redirect(redirect: Redirect) -> Reply:
    headers = {"Location": quote(redirect.location, safe=_SAFE_URL_CHARACTERS), "Content-Length": "0"}
    result = {**redirect.data, "headers": headers, "statusCode": redirect.status}
    return Reply(result, redirect.status, headers, redirect.cookies)


def _challenge_redirect(location: str, error: errors.LoginChallenged) -> Redirect:
    """Redirect a browser with the challenge in the URL's fragment, which browsers send to no server."""
    challenge = error.challenge
    names = {CHALLENGE_FIELD: challenge["reference"], "check": challenge["check"], "strategy": challenge["strategy"]}
    return Redirect(f"{location.partition('#')[0]}#{urlencode(names)}", cookies=error.cookies)


def is_allowed(payload: Fields, request: Request, owned: rights.Rights) -> bool:
    """Return whether the rights allow a request payload.

    Raises `MissingArgument` for a payload without controller or action, and the error of a malformed payload.
    """
    for name in ("controller", "action"):
        if not isinstance(payload.get(name), str):
            raise errors.MissingArgument(argument=f"body.{name}")
    try:
        checked = from_payload(payload, request.connection, request.id)
    except Malformed as malformed:
        raise malformed.error from None
    return owned.allows(payload["controller"], payload["action"], checked.args)
