"""`auth`: log in, log out, and me."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from visado import errors, events
from visado.arguments import DURATION, Body, BodyText, Flag, Integer, Reading, StrictDuration, Text
from visado.controller import Controller, action, get, post, put
from visado.controllers import cookies, results
from visado.controllers.current_user import somebody
from visado.login_check import Login
from visado.request import ANONYMOUS_ID, Fields, Malformed, Reply, Request, from_payload
from visado.security.access import Access
from visado.security.documents import shown
from visado.security.logins.checks import FIELD, Admission, Logins, answers
from visado.security.logins.strategies import Strategies
from visado.security.observers import Observers
from visado.security.rights import rights
from visado.security.tokens.tokens import Issued
from visado.settings.durations import FOREVER
from visado.strategy import Redirect

_IN_ADDRESSES: Final = "%/:=&?~#+!$,;'@()*[]"
_NOT_MINE: Final = ("_id", "profileIds")


class AuthController(Controller):
    """What everybody may want: to log in, to log out, to look at oneself."""

    name = "auth"

    def __init__(self, access: Access, strategies: Strategies, logins: Logins, observers: Observers) -> None:
        self._access, self._strategies, self._logins, self._observers = access, strategies, logins, observers
        self._users, self._tokens = access.users, access.tokens

    @action(get("/_me"), get("/users/_me", deprecated=True), cacheable=True)
    async def get_current_user(self, request: Request) -> results.CurrentUser:
        """Show who I am, and by which strategies I can log in."""
        user = request.user
        return shown(user.id, user.content) | {"strategies": await self._strategies.of(user)}

    @action(get("/_me/_rights"), get("/users/_me/_rights", deprecated=True), cacheable=True)
    async def get_my_rights(self, request: Request) -> results.Found:
        """List my rights: an item per action entry of my roles."""
        return rights.listing(self._access.rights(request).policies)

    @action(get("/strategies"), cacheable=True)
    async def get_strategies(self, request: Request) -> results.Names:
        """List the strategies that are installed."""
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
        expires_in: Annotated[Any, DURATION, Reading.DEFERRED] = None,
        cookie_auth: Flag | None = None,
    ) -> results.Token:
        """Log in with a strategy and receive a token.

        The body holds what the strategy asks for, such as `username` and `password`. `strategy` and `expiresIn`
        may stand in the body too; where no strategy is named, it is `local`. Where the answer was a challenge, the
        body holds its reference as `challenge`, and what the challenge asks for.
        """
        name = strategy if strategy is not None else request.fields.get("strategy", "local")
        if not isinstance(name, str):
            raise errors.InvalidType(argument="body.strategy", expected="string")
        with self._logins.refusals(name if name in self._strategies else None):
            for field in (*self._strategies.find(name).fields, "password"):
                if field in request.args:  # addresses end up in logs
                    raise errors.ForbiddenArgument(argument=field)
        began = self._tokens.moment()
        asked = request.fields.get("expiresIn") if expires_in is None else expires_in
        found = await self._admit(request, name, asked)
        if isinstance(found, Redirect):
            return _redirect(found)
        issued = await self._logins.issue(found, name, began)
        if found.location is not None:
            return _redirect(Redirect(found.location, cookies=self._answer(request, issued, True, found).cookies))
        return self._answer(request, issued, _by_cookie(request, cookie_auth), found)

    async def _admit(self, request: Request, name: str, asked: Any) -> Admission | Redirect:
        """Ask the strategy, or hear the answer to a challenge; then ask the login checks."""
        if answers(request):
            return await self._logins.resume(request, name)
        with self._logins.refusals(name):
            found = await self._strategies.authenticate(name, request)
        if isinstance(found, Redirect):
            return found
        user, success = found
        location = success.location if request.connection.transport == "http" else None
        begun = Admission(user, cookies=success.cookies, asked=asked, location=location)
        try:
            return await self._logins.admit(Login(request, user, name), begun)
        except errors.LoginChallenged as challenge:
            if location is None:
                raise
            return _challenged(location, challenge)

    @action(post("/_logout"), cookie="optional", rate_limit="none")
    async def logout(
        self,
        request: Request,
        global_: Flag = False,
        cookie_auth: Flag = False,
    ) -> results.Acknowledged:
        """End my token, or with `global` all of my tokens; API keys stay."""
        token = request.token
        if token is None and not cookie_auth:
            raise errors.LoginRequired(controller="auth", action="logout")
        location: str | None = None
        if token is not None:
            location = await self._strategies.logout(request)
            if global_:
                await self._tokens.end_all(token.user_id)
            if token.kind == "token":
                await self._tokens.revoke(token)
            self._tokens.links.unlink(request.connection)
            self._observers.note(events.LoggedOut(target=token.user_id, everywhere=global_))
        shown = {"acknowledged": True} | ({"location": location} if location else {})
        return Reply(shown, cookies=(cookies.cleared(secure=request.connection.secure),))

    @action(
        post("/_checkToken"),
        cookie="ignored",
        cacheable=True,
        example={"token": "kauth-eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.s"},
    )
    async def check_token(
        self, request: Request, token: BodyText | None = None, cookie_auth: Flag | None = None
    ) -> results.Checked:
        """Say whether a token is valid, whose it is and when it ends. A single-use token is not used up."""
        text = (request.cookie or request.jwt) if _by_cookie(request, cookie_auth) else token
        if not text:
            return {"valid": False, "state": "No token."}
        try:
            found = await self._access.verify(text)
        except errors.InvalidToken as error:
            request.depends_on = None
            return {"valid": False, "state": error.text}
        return {"valid": True, "expiresAt": found.expires_at, "kuid": found.user_id}

    @action(post("/_createToken"))
    async def create_token(
        self, request: Request, expires_in: StrictDuration = None, single_use: Flag = False
    ) -> results.NewToken:
        """Make another token of mine, for one use if so wished."""
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
    ) -> results.Token:
        """Exchange my token for a new one; the old one works on for a moment."""
        if request.token is None:
            raise errors.LoginRequired(controller="auth", action="refreshToken")
        if strategy is not None and strategy != "local":
            renewed = await self._strategies.run(strategy, lambda each: each.refresh(request))
            expires_in = DURATION.read(renewed.get("expiresIn"), "expiresIn", False) or expires_in
        issued = await self._tokens.refresh(request.token, expires_in)
        self._observers.note(events.TokenRefreshed(target=request.user.id))
        return self._answer(request, issued, _by_cookie(request, cookie_auth))

    @action(post("/_checkRights"), example={"controller": "auth", "action": "getCurrentUser"})
    async def check_rights(self, request: Request, body: Body) -> results.Allowed:
        """Say whether I may execute a request, which the body holds."""
        return {"allowed": may(body, request, self._access.rights(request))}

    @action(put("/_me"), put("/_updateSelf", deprecated=True))
    async def update_self(
        self,
        request: Request,
        body: Body,
        retry_on_conflict: Integer = 10,
    ) -> results.Document:
        """Change members of my own content, but neither my id nor my profiles."""
        user = somebody(request, "updateSelf")
        for name in _NOT_MINE:
            if body.get(name):
                raise errors.ForbiddenArgument(argument=f"body.{name}")
        changed = await self._users.update(
            user.id, {name: value for name, value in body.items() if name not in _NOT_MINE}, user.id
        )
        return shown(changed.id, changed.content)

    def _answer(self, request: Request, issued: Issued, cookie_auth: bool, admission: Admission | None = None) -> Reply:
        """Show a new token: in the body, or over HTTP in a cookie."""
        token, connection = issued.token, request.connection
        data, others = (admission.data, admission.cookies) if admission else ({}, ())
        if connection.transport == "websocket":
            if token.user_id != ANONYMOUS_ID:
                self._tokens.links.link(connection, token)
            return Reply({**data, **issued.shown()})
        if not cookie_auth:
            return Reply({**data, **issued.shown()}, cookies=others)
        expires_at = None if token.expires_at == FOREVER else token.expires_at
        header = cookies.carrying(issued.text, expires_at, secure=connection.secure)
        return Reply({**data, **issued.shown(with_text=False)}, cookies=(*others, header))


def _by_cookie(request: Request, asked: bool | None) -> bool:
    """Whether the token travels as a cookie: as the client asks, or else as it already does."""
    return request.cookie is not None if asked is None else asked


def _redirect(found: Redirect) -> Reply:
    headers = {"Location": quote(found.location, safe=_IN_ADDRESSES), "Content-Length": "0"}
    result = {**found.data, "headers": headers, "statusCode": found.status}
    return Reply(result, found.status, headers, found.cookies)


def _challenged(location: str, error: errors.LoginChallenged) -> Redirect:
    """Send a browser on with the challenge, in the part of the address that goes to no server."""
    shown = error.challenge
    words = urlencode({FIELD: shown["reference"], "check": shown["check"], "strategy": shown["strategy"]})
    return Redirect(f"{location.partition('#')[0]}#{words}", cookies=error.cookies)


def may(payload: Fields, request: Request, owned: rights.Rights) -> bool:
    """Whether rights allow a request payload. Raises `MissingArgument`, and what a malformed payload raises."""
    for name in ("controller", "action"):
        if not isinstance(payload.get(name), str):
            raise errors.MissingArgument(argument=f"body.{name}")
    try:
        asked = from_payload(payload, request.connection, request.id)
    except Malformed as malformed:
        raise malformed.error from None
    return owned.allow(payload["controller"], payload["action"], asked.args)
