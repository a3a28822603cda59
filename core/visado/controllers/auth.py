"""`auth`: log in, log out, me and my credentials."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from visado import cookies, errors
from visado.arguments import (
    DURATION,
    Body,
    BodyText,
    Duration,
    Flag,
    Id,
    Integer,
    Lifetime,
    Text,
    UnreadDuration,
)
from visado.controller import Controller, action, delete, get, post, put
from visado.controllers import results
from visado.controllers.searches import Searches
from visado.request import ANONYMOUS_ID, Fields, Malformed, Reply, Request, User, from_payload
from visado.security import rights
from visado.security.access import Access
from visado.security.api_keys import listed
from visado.security.documents import shown
from visado.security.strategies import Strategies
from visado.security.tokens import FOREVER, Issued
from visado.strategy import Redirect

_IN_ADDRESSES: Final = "%/:=&?~#+!$,;'@()*[]"
_NOT_MINE: Final = ("_id", "profileIds")


class AuthController(Controller):
    """What everybody may want: to log in, to log out, to look at oneself."""

    name = "auth"

    def __init__(self, access: Access, strategies: Strategies, searches: Searches, api_key_max_ttl: int) -> None:
        self._access, self._strategies, self._searches = access, strategies, searches
        self._users, self._tokens = access.users, access.tokens
        self._api_key_max_ttl = api_key_max_ttl

    @action(get("/_me"), get("/users/_me", deprecated=True))
    async def get_current_user(self, request: Request) -> results.CurrentUser:
        """Show who I am, and by which strategies I can log in."""
        user = request.user
        return shown(user.id, user.content) | {"strategies": await self._strategies.of(user)}

    @action(get("/_me/_rights"), get("/users/_me/_rights", deprecated=True))
    async def get_my_rights(self, request: Request) -> results.Found:
        """List my rights: an item per action entry of my roles."""
        return rights.listing(self._access.rights(request).policies)

    @action(get("/strategies"))
    async def get_strategies(self, request: Request) -> results.Names:
        """List the strategies that are installed."""
        return list(self._strategies)

    @action(get("/_login/:strategy"), post("/_login/:strategy"), post("/_login", listed=False), cookie="ignored")
    async def login(
        self,
        request: Request,
        strategy: Text | None = None,
        expires_in: UnreadDuration = None,
        cookie_auth: Flag | None = None,
    ) -> results.Token:
        """Log in with a strategy and receive a token.

        The body holds what the strategy asks for, such as `username` and `password`. `strategy` and `expiresIn`
        may stand in the body too; where no strategy is named, it is `local`.
        """
        name = strategy if strategy is not None else request.fields.get("strategy", "local")
        if not isinstance(name, str):
            raise errors.InvalidType(argument="body.strategy", expected="string")
        for field in self._strategies.find(name).fields:
            if field in request.args:  # addresses end up in logs
                raise errors.ForbiddenArgument(argument=field)
        began = self._tokens.moment()
        found = await self._strategies.authenticate(name, request)
        if isinstance(found, Redirect):
            return _redirect(found)
        user, success = found
        asked = request.fields.get("expiresIn") if expires_in is None else expires_in
        lifetime = DURATION.read(asked, "expiresIn", False)
        issued = await self._tokens.create(user.id, lifetime, since=began)
        if success.location is not None and request.connection.transport == "http":
            reply = self._answer(request, issued, cookie_auth=True)
            return _redirect(Redirect(success.location, cookies=(*success.cookies, *reply.cookies)))
        return self._answer(request, issued, _by_cookie(request, cookie_auth), success.cookies)

    @action(post("/_logout"), cookie="optional")
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
                await self._tokens.revoke_all(token.user_id)
            if token.kind == "token":
                await self._tokens.revoke(token)
            self._tokens.links.unlink(request.connection)
        shown = {"acknowledged": True} | ({"location": location} if location else {})
        return Reply(shown, cookies=(cookies.cleared(secure=request.connection.secure),))

    @action(post("/_checkToken"), cookie="ignored")
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
            return {"valid": False, "state": error.text}
        return {"valid": True, "expiresAt": found.expires_at, "kuid": found.user_id}

    @action(post("/_createToken"))
    async def create_token(
        self, request: Request, expires_in: Lifetime = None, single_use: Flag = False
    ) -> results.NewToken:
        """Make another token of mine, for one use if so wished."""
        if expires_in == FOREVER:
            raise errors.InvalidExpiration(argument="expiresIn", rule="cannot be infinite")
        issued = await self._tokens.create(request.user.id, expires_in, single_use=single_use)
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
        expires_in: Lifetime = None,
        cookie_auth: Flag | None = None,
    ) -> results.Token:
        """Exchange my token for a new one; the old one works on for a moment."""
        if request.token is None:
            raise errors.LoginRequired(controller="auth", action="refreshToken")
        if strategy is not None and strategy != "local":
            renewed = await self._strategies.run(strategy, lambda each: each.refresh(request))
            expires_in = DURATION.read(renewed.get("expiresIn"), "expiresIn", False) or expires_in
        issued = await self._tokens.refresh(request.token, expires_in)
        return self._answer(request, issued, _by_cookie(request, cookie_auth))

    @action(post("/_checkRights"))
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
        user = _somebody(request, "updateSelf")
        for name in _NOT_MINE:
            if body.get(name):
                raise errors.ForbiddenArgument(argument=f"body.{name}")
        changed = await self._users.update(
            user.id, {name: value for name, value in body.items() if name not in _NOT_MINE}, user.id
        )
        return shown(changed.id, changed.content)

    # -- my credentials

    @action(
        get("/_me/credentials/:strategy/_exists"),
        get("/credentials/:strategy/_me/_exists", deprecated=True),
    )
    async def credentials_exist(self, request: Request, strategy: Text) -> results.YesNo:
        """Say whether I have credentials of a strategy."""
        user = _somebody(request, "credentialsExist")
        return await self._strategies.run(strategy, lambda each: each.exists(user.id))

    @action(get("/_me/credentials/:strategy"), get("/credentials/:strategy/_me", deprecated=True))
    async def get_my_credentials(self, request: Request, strategy: Text) -> results.Object:
        """Show what may be shown of my credentials of a strategy."""
        user = _somebody(request, "getMyCredentials")
        return await self._strategies.run(strategy, lambda each: each.info(user.id))

    @action(
        post("/_me/credentials/:strategy/_create"),
        post("/credentials/:strategy/_me/_create", deprecated=True),
    )
    async def create_my_credentials(self, request: Request, strategy: Text, body: Body) -> results.Object:
        """Give myself credentials of a strategy."""
        user = _somebody(request, "createMyCredentials")
        return await self._strategies.create(strategy, user.id, body)

    @action(
        put("/_me/credentials/:strategy/_update"),
        put("/credentials/:strategy/_me/_update", deprecated=True),
    )
    async def update_my_credentials(self, request: Request, strategy: Text, body: Body) -> results.Object:
        """Change my credentials of a strategy."""
        user = _somebody(request, "updateMyCredentials")
        return await self._strategies.update(strategy, user.id, body)

    @action(
        post("/_me/credentials/:strategy/_validate"),
        post("/credentials/:strategy/_me/_validate", deprecated=True),
    )
    async def validate_my_credentials(self, request: Request, strategy: Text, body: Body) -> results.YesNo:
        """Say whether I could give myself these credentials."""
        user = _somebody(request, "validateMyCredentials")
        await self._strategies.run(strategy, lambda each: each.validate(user.id, body, update=False))
        return True

    @action(delete("/_me/credentials/:strategy"), delete("/credentials/:strategy/_me", deprecated=True))
    async def delete_my_credentials(self, request: Request, strategy: Text) -> results.Acknowledged:
        """Give up my credentials of a strategy; my tokens stay."""
        user = _somebody(request, "deleteMyCredentials")
        await self._strategies.run(strategy, lambda each: each.delete(user.id))
        return {"acknowledged": True}

    # -- my API keys

    @action(post("/api-keys/_create"))
    async def create_api_key(
        self, request: Request, description: BodyText, id: Id | None = None, expires_in: Duration = None
    ) -> results.Document:
        """Make an API key of mine. Its text is in this answer, and nowhere else."""
        user = _somebody(request, "createApiKey")
        return await self._access.api_keys.create(
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
        page = await self._access.api_keys.search(request.user.id, query)
        return {"hits": [listed(*hit) for hit in page.hits], "total": page.total}

    @action(delete("/api-keys/:_id"))
    async def delete_api_key(self, request: Request, id: Id) -> results.Deleted:
        """End an API key of mine."""
        await self._access.api_keys.delete(request.user.id, id)
        return {"_id": id}

    def _answer(self, request: Request, issued: Issued, cookie_auth: bool, others: tuple[str, ...] = ()) -> Reply:
        """Show a new token: in the body, or over HTTP in a cookie."""
        token, connection = issued.token, request.connection
        if connection.transport == "websocket":
            if token.user_id != ANONYMOUS_ID:
                self._tokens.links.link(connection, token)
            return Reply(issued.shown())
        if not cookie_auth:
            return Reply(issued.shown(), cookies=others)
        expires_at = None if token.expires_at == FOREVER else token.expires_at
        header = cookies.carrying(issued.text, expires_at, secure=connection.secure)
        return Reply(issued.shown(with_text=False), cookies=(*others, header))


def _somebody(request: Request, name: str) -> User:
    """Whoever asks, unless that is everybody. Raises `LoginRequired`."""
    if request.user.anonymous:
        raise errors.LoginRequired(controller="auth", action=name)
    return request.user


def _by_cookie(request: Request, asked: bool | None) -> bool:
    """Whether the token travels as a cookie: as the client asks, or else as it already does."""
    return request.cookie is not None if asked is None else asked


def _redirect(found: Redirect) -> Reply:
    headers = {"Location": quote(found.location, safe=_IN_ADDRESSES), "Content-Length": "0"}
    result = {**found.data, "headers": headers, "statusCode": found.status}
    return Reply(result, found.status, headers, found.cookies)


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
