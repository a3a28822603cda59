"""Logins and users in somebody's own Starlette or FastAPI routes: `app.state.visado` of `create_app()`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import HTTPConnection

from visado import errors, events
from visado.controllers.login_replies import login_reply, redirect_reply
from visado.pipeline import Pipeline
from visado.request import ANONYMOUS, Connection, Fields, Request, User, new_id, running
from visado.response import Reply
from visado.security.building import Security
from visado.settings.loading import Settings
from visado.settings.sections import ServerSection
from visado.strategy import Outcome, Redirect
from visado.web import request_headers
from visado.web.origins import Origins

_MAX_PATH_CHARACTERS: Final = 200


class Authenticator:
    """Authenticates the requests of your own routes with the strategies, login checks and tokens of the host.

    `http` is the `Request` or `WebSocket` of Starlette or FastAPI. Errors are those of `visado.errors`: each has a
    `status`, a `text`, and `as_dict()` for the body of a response.
    """

    def __init__(
        self, pipeline: Pipeline, security: Security, settings: Settings, open_host: Callable[[], Awaitable[None]]
    ) -> None:
        server = settings[ServerSection]
        self._pipeline, self._security, self._open = pipeline, security, open_host
        self._origins = Origins(server.public_url, server.trusted_proxies)

    async def authenticate(self, strategy: str, http: HTTPConnection, body: Fields | None = None) -> Outcome:
        """Return the outcome of a strategy as it is: no login check, no token, no user of an identity, no further step.

        `body` are the members of the login's body, such as `{"username": ..., "password": ...}`. Raises
        `UnknownStrategy`, `StrategyTimeout`, `Overloaded`, and what the strategy raises.
        """
        async with self._running(http, {"strategy": strategy}, body) as request:
            return (await self._security.strategies.ask(strategy, request)).outcome

    async def login(
        self, strategy: str, http: HTTPConnection, body: Fields | None = None, *, cookie_auth: bool = False
    ) -> Reply:
        """Log in as `auth:login` does, login checks included, and return its reply.

        The reply has `result`, `status`, `headers` and `cookies`, which are values of `Set-Cookie`.
        The result contains the token as `jwt`; with `cookie_auth`, `cookies` contain it. A strategy that redirects
        returns a status of 302 and the header `Location`; pass the query of the callback on with `http`. Raises
        `LoginRefused`; `LoginChallenged`, whose `challenge` the client answers; and what the strategy raises.
        """
        async with self._running(http, {"strategy": strategy}, body) as request:
            await self._pipeline.authenticate(request, "ignored")
            outcome = await self._security.logins.log_in(request, strategy)
            if isinstance(outcome, Redirect):
                return redirect_reply(request, outcome)
            return login_reply(request, outcome, cookie_auth=cookie_auth)

    async def identify(self, http: HTTPConnection) -> User:
        """Return the user of a request by its token, API key, cookie or token verifier; `ANONYMOUS` without any.

        Observers are told where a user acts as another. Raises `InvalidToken`, `ExpiredToken`, `NotAllowed` for a token
        that may only run some actions of the host, and `UnauthorizedOrigin` for the cookie of a page of another origin.
        """
        async with self._running(http, {}, None) as request:
            await self._pipeline.authenticate(request, "verified")
            token, path = request.token, http.url.path[:_MAX_PATH_CHARACTERS]
            if token is None:
                return ANONYMOUS
            if token.allow is not None:
                raise errors.NotAllowed(controller=request.method, action=path, user=request.user.id)
            if token.actor is not None:
                self._security.observers.note(events.Impersonated(target=request.user.id, action=path))
            return request.user

    @asynccontextmanager
    async def _running(self, http: HTTPConnection, args: Fields, body: Fields | None) -> AsyncGenerator[Request]:
        """Make the request of the host, and run the block as that request; then tell the observers of its events."""
        await self._open()
        request = self._request(http, args, body)
        try:
            with running(request):
                yield request
        finally:
            if noted := request.take_events():
                await asyncio.shield(self._security.observers.deliver(noted))

    def _request(self, http: HTTPConnection, args: Fields, body: Fields | None) -> Request:
        scope = http.scope
        headers = dict[bytes, bytes](scope["headers"])
        if request_headers.has_two_authorizations(scope["headers"], headers):
            raise errors.TwoTokens(cause="The header Authorization is present twice")
        connection = self._origins.connect(Connection, {**scope, "type": "http"}, headers)
        connection.cross_site_form = request_headers.is_cross_site_form(scope.get("method", "GET"), connection)
        query: dict[str, Any] = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        return Request(
            id=new_id(),
            controller="auth",
            action="login",
            args={**query, **args},
            body=dict(body or {}),
            jwt=request_headers.bearer_token(headers),
            cookie=request_headers.auth_cookie(connection),
            textual=True,
            connection=connection,
        )
