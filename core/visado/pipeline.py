"""The one path from a request to its response, over HTTP and WebSocket.

Owns the order of the checks, and which error wins. Does not own the transports (`web`), the actions (`controllers`) or
the rights (`security.rights`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from visado import errors, events, kuzzle
from visado.controller import Action, ActionTable, RateLimit
from visado.host import Clock
from visado.metrics import Metrics
from visado.plugins.calls import is_cancelled
from visado.request import ANONYMOUS, Malformed, Request, set_current
from visado.response import Reply, Response
from visado.security.access import NATIVE_PREFIXES, Access
from visado.security.observers import Observers
from visado.security.rate_limits import RateLimits
from visado.settings.loading import Settings
from visado.settings.sections import HttpSection, LimitsSection

_log = logging.getLogger("visado.pipeline")
CAUSE_IN_LOG: Final = "the log of the host says which"
_MAX_TARGET_CHARACTERS: Final = 200
_FALSE_ARGUMENTS: Final = (None, False, "false", "0")


def _post_nothing(_: Request) -> bool:
    """Refuse the forms of other sites."""
    return False


class Pipeline:
    """Read the request, find its action, verify the token, check the rights and the limits, call the action.

    While `stopping` is true, every request is refused with `ShuttingDown`. `may_post` tells whether a request may come
    from a page of another site although the settings do not allow its origin: a login of a strategy that expects
    forms from there. The pipeline asks it before the token is verified, about requests that it would refuse.
    """

    def __init__(
        self,
        table: ActionTable,
        access: Access,
        observers: Observers,
        settings: Settings,
        clock: Clock,
        metrics: Metrics,
        may_post: Callable[[Request], bool] = _post_nothing,
    ) -> None:
        self._table, self._access, self._observers = table, access, observers
        self._verifiers = access.foreign_tokens.verifiers
        self._http = settings[HttpSection]
        self._limits = settings[LimitsSection]
        self._requests, self._logins = RateLimits(clock), RateLimits(clock)
        self._metrics, self._may_post = metrics, may_post
        self.stopping = False

    async def run(self, reading: Awaitable[Request]) -> Response:
        """Run one request. Never raises: an error is a response.

        `reading` is awaited here, so that a malformed request gets the same response over both transports.
        """
        try:
            request = await reading
        except Malformed as malformed:
            return Response(malformed.request_id, Reply(None), malformed.error, bare=malformed.bare)
        self._metrics.in_flight += 1
        set_current(request)
        try:
            response = Response(request.id, await self._answer(request), None, request)
        except errors.VisadoError as error:
            response = Response(request.id, Reply(error.result, cookies=error.cookies), error, request)
        except BaseException as error:  # a plugin may raise anything, and no client may see it
            if is_cancelled(error) or isinstance(error, (KeyboardInterrupt, GeneratorExit)):
                self._observers.deliver(request.take_events())
                raise
            _log.exception("%r failed", request)
            response = Response(request.id, Reply(None), errors.PluginFailed(cause=CAUSE_IN_LOG), request)
        finally:
            self._metrics.in_flight -= 1
        if noted := request.take_events():
            response = await self._report(noted, response)
        self._metrics.count(self._label(request), response.status)
        return response

    def admits(self, user_id: str, limit: int) -> bool:
        """Count a request of a user, and return whether it is within the limit, in requests per second."""
        return self._requests.admit(user_id, limit)

    async def _report(self, noted: list[events.Event], response: Response) -> Response:
        """Tell the observers of the events. Return an error response where an essential observer fails."""
        try:
            await asyncio.shield(self._observers.deliver(noted))
        except errors.EventNotRecorded as error:
            return replace(response, reply=Reply(None), error=error)
        return response

    def _label(self, request: Request) -> str:
        action = self._table.get(request.controller, request.action)
        return action.id if action is not None else "unknown"

    async def _answer(self, request: Request) -> Reply:
        controller, name = self._admit(request)
        action = self._find(controller, name)
        await self.authenticate(request, action.cookie if isinstance(action, Action) else "verified")
        self._authorise(request, controller, name)
        if request.token is not None and request.token.actor is not None:
            await self._authorise_actor(request, controller, name)
        self._limit(request, action.rate_limit if isinstance(action, Action) else "user")
        if isinstance(action, errors.VisadoError):
            raise action
        kuzzle.check_client(request.volatile)
        arguments = action.arguments(request)
        if action.login_required and request.user.anonymous:
            raise errors.LoginRequired(controller=controller, action=name)
        return action.reply(await action.handler(request, **arguments))

    def _admit(self, request: Request) -> tuple[str, str]:
        connection = request.connection
        if connection.cross_site_form and not self._may_post(request):
            raise errors.UnauthorizedOrigin(origin=connection.origin)
        if not request.controller:
            raise errors.MissingArgument(argument="controller")
        if not request.action:
            raise errors.MissingArgument(argument="action")
        kuzzle.check_targets(request.args)
        origin, allowed = connection.origin, self._http.allow_origins
        is_allowed = origin is None or "*" in allowed or origin in allowed or connection.same_origin
        if not is_allowed and not self._may_post(request):
            raise errors.UnauthorizedOrigin(origin=origin)
        if self.stopping:
            raise errors.ShuttingDown
        if self._metrics.in_flight > self._limits.requests_in_flight:
            raise errors.Overloaded
        return request.controller, request.action

    def _find(self, controller: str, name: str) -> Action | errors.VisadoError:
        """Return the action, or the error for later: a user without the right does not learn which actions exist."""
        try:
            return self._table.find(controller, name)
        except errors.NotFound as error:
            return error

    async def authenticate(self, request: Request, cookie: str) -> None:
        """Set the user of a request by its token. `cookie` is that of `@action`. Raises `InvalidToken`, `TwoTokens`."""
        text = request.jwt
        if request.cookie is not None:
            if not self._http.cookie_auth:
                raise errors.CookiesUnsupported
            if text is not None:
                raise errors.TwoTokens(cause="Both token and cookie are present, could not decide which one to use")
            # An identity provider's page posts an answer, and a browser may send the cookie of a former login with it.
            is_answer = cookie == "ignored" and self._may_post(request)
            if not is_answer and not self._may_use_cookie(request):
                raise errors.UnauthorizedOrigin(origin=request.connection.origin)
            text = request.cookie if cookie != "ignored" else None
        elif not self._http.cookie_auth and request.args.get("cookieAuth") not in _FALSE_ARGUMENTS:
            raise errors.CookiesUnsupported
        if (
            self._verifiers
            and (cookie != "ignored" if text is None else not text.startswith(NATIVE_PREFIXES))
            and await self._authenticate_foreign(request, text, cookie)
        ):
            return
        if text is None:
            return
        try:
            token, user = await self._access.identify(text)
        except errors.InvalidToken:
            if request.cookie is not None and cookie == "optional":
                return
            raise
        if token.single_use:
            await self._access.tokens.consume(token)
        request.token, request.user = token, user
        if request.connection.transport == "websocket" and user is not ANONYMOUS:
            self._access.tokens.connections.link(request.connection, token)

    async def _authenticate_foreign(self, request: Request, bearer: str | None, cookie: str) -> bool:
        """Identify the user of a request without a token of the host's. Return False where no verifier knows it.

        What is not known by the bearer token alone is treated like the cookie, since a browser may have sent it without
        being asked: Basic, a certificate, the header of a proxy that reads cookies.
        """
        credential = self._verifiers.find(request, bearer)
        if credential is None:
            return False
        if bearer is not None and _has_other_bearer(request, bearer):
            raise errors.TwoTokens(cause="Two bearer tokens are present, could not decide which one to use")
        if not self._may_use_cookie(request):
            alone = self._verifiers.find_bearer(request, bearer) if bearer is not None else None
            if alone is None or alone.key != credential.key:
                raise errors.UnauthorizedOrigin(origin=request.connection.origin)
        try:
            request.token, request.user = await self._access.identify_foreign(credential, request)
        except errors.InvalidToken:
            if request.jwt is None and cookie == "optional":
                return True
            raise
        if request.connection.transport == "websocket":
            self._access.tokens.connections.link(request.connection, request.token)
        return True

    def _may_use_cookie(self, request: Request) -> bool:
        origin = request.connection.origin
        return origin is None or request.connection.same_origin or origin in self._http.cookie_origins

    def _authorise(self, request: Request, controller: str, name: str) -> None:
        access, user = self._access, request.user
        if access.allows(request, controller, name, request.args):
            return
        self._observers.note(events.AccessDenied(target=f"{controller}:{name}"[:_MAX_TARGET_CHARACTERS]))
        if not user.anonymous:
            raise errors.NotAllowed(controller=controller, action=name, user=user.id)
        if access.profiles.rights(user).allows(controller, name, request.args):
            raise errors.LoopbackRequired(controller=controller, action=name)
        raise errors.LoginRequired(controller=controller, action=name)

    async def _authorise_actor(self, request: Request, controller: str, name: str) -> None:
        """Refuse what a user may not do who acts as the user of the request, and tell the observers of what it may."""
        request.depends_on = None  # observers are told of each use
        if not self._access.may_act(await self._access.actor(request), controller, name, request.args):
            self._observers.note(events.AccessDenied(target=f"{controller}:{name}"[:_MAX_TARGET_CHARACTERS]))
            raise errors.NotAllowed(controller=controller, action=name, user=request.user.id)
        self._observers.note(events.Impersonated(target=request.user.id, action=f"{controller}:{name}"))

    def _limit(self, request: Request, rate_limit: RateLimit) -> None:
        if rate_limit == "login":
            connection = request.connection
            if connection.transport == "websocket" and not self._logins.admit(
                connection.id, self._limits.logins_per_second
            ):
                raise errors.TooManyLogins
            return
        if rate_limit == "none" and not request.user.anonymous:
            return
        limit = self._access.profiles.rate_limit(request.user)
        if limit and not self.admits(request.user.id, limit):
            raise errors.TooManyRequestsOfUser


def _has_other_bearer(request: Request, bearer: str) -> bool:
    """Return whether the header `Authorization` has another bearer token than the body or message of a request."""
    scheme, _, text = (request.header("authorization") or "").partition(" ")
    return scheme.lower() == "bearer" and text.rstrip() not in ("", bearer)
