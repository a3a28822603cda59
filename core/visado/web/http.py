"""The HTTP end: routes from the action table, requests in, envelopes out."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from visado import errors
from visado.codec import is_list, is_object
from visado.controller import Action, ActionTable
from visado.pipeline import Pipeline
from visado.request import Connection, Reply, Request, Response, from_payload
from visado.settings.loading import Settings
from visado.settings.sections import HttpSection, LimitsSection, ServerSection
from visado.web import origins
from visado.web.cache import ResponseCache
from visado.web.exchange import Disconnected, Exchange
from visado.web.routes import Routes

_access = logging.getLogger("visado.access")
_VERBS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"})
_SMALL: Final = 1_024
"""Bytes of a body by which equal requests are told."""
_LARGEST: Final = 4_096
"""Bytes of the headers of a request that is worth remembering."""


class HttpEnd:
    """ResponseCache HTTP requests; an ASGI application."""

    def __init__(
        self, pipeline: Pipeline, table: ActionTable, cache: ResponseCache, settings: Settings, node: str
    ) -> None:
        self._pipeline, self._routes, self._cache, self._node = pipeline, Routes(table), cache, node
        self._pure_posts = {
            route.path.encode() for each in table if each.cacheable for route in each.routes if route.verb == "POST"
        }
        self._limits, self._http = settings[LimitsSection], settings[HttpSection]
        self._public_url = settings[ServerSection].public_url
        self._access_log = settings[ServerSection].access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """CachedResponse one request."""
        exchange = Exchange(scope, receive, send, self._limits, self._http, self._node)
        try:
            if exchange.verb == "GET" or (exchange.verb == "POST" and exchange.path in self._pure_posts):
                await self._answer_pure(exchange)
            else:
                await self._answer(exchange)
        except Disconnected:
            return
        if self._access_log:
            who = scope["client"][0] if scope.get("client") else "-"
            _access.info("%s %r %s", who, f"{exchange.verb} {exchange.path.decode('latin-1')}", exchange.status)

    async def _answer_pure(self, exchange: Exchange) -> None:
        """CachedResponse as an equal request was answered, where that is still right, or else remember the answer."""
        key = exchange.key()
        if key is None:
            return await self._answer(exchange)
        if exchange.verb == "POST":
            length = exchange.headers.get(b"content-length", b"")
            if not length.isdigit() or int(length) > _SMALL:
                return await self._answer(exchange)
            with contextlib.suppress(errors.RequestTooLarge, TimeoutError):  # reading it again says so
                key = (key, await exchange.read_data())
        answer = self._cache.find(key)
        if answer is not None:
            return await exchange.send_again(answer)
        version = self._cache.version
        await self._answer(exchange)
        if exchange.plain is not None and self._cache.again(key) and exchange.size <= _LARGEST:
            self._cache.keep(key, *exchange.plain, version, named=1)
        return None

    async def _answer(self, exchange: Exchange) -> None:
        verb, path = exchange.verb, exchange.path
        if verb == "OPTIONS":
            await exchange.send_response(Response(exchange.request_id, Reply({})))
        elif verb in ("GET", "HEAD") and path in (b"/_healthcheck", b"/_ready"):
            up = path == b"/_healthcheck" or not self._pipeline.stopping
            await exchange.send_response(Response(exchange.request_id, Reply(None, 200 if up else 503)))
        else:
            await exchange.send_response(await self._pipeline.run(self._decode(exchange)))

    async def _decode(self, exchange: Exchange) -> Request:
        body = await exchange.read_body()
        verb = "GET" if exchange.verb == "HEAD" else exchange.verb
        if verb not in _VERBS:
            raise exchange.malformed(errors.UnsupportedVerb(verb=verb))
        link = origins.connect(Connection, exchange.scope, exchange.headers, self._public_url)
        if verb == "POST" and exchange.path == b"/_query":
            request = from_payload(body, link, exchange.request_id)
            request.jwt = exchange.bearer() if request.jwt is None else request.jwt
        else:
            found = self._routes.find(verb, exchange.path)
            if found is None:
                shown = exchange.path.decode("latin-1").removesuffix("/") or "/"
                raise exchange.malformed(errors.UrlNotFound(path=shown))
            request = self._request(exchange, link, body, *found)
        request.cookie = origins.auth_cookie(exchange.headers)
        if exchange.smuggled():
            raise exchange.malformed(errors.UnauthorizedOrigin(origin=link.origin))
        return request

    def _request(
        self, exchange: Exchange, link: Connection, body: Any, action: Action, values: Mapping[str, str]
    ) -> Request:
        if body is not None and not is_object(body) and not is_list(body):
            raise exchange.malformed(errors.InvalidType(argument="body", expected="object or array"))
        return Request(
            id=exchange.request_id,
            controller=action.controller,
            action=action.name,
            args={**exchange.arguments(), **values},
            body=body,
            volatile=exchange.volatile(),
            jwt=exchange.bearer(),
            textual=True,
            connection=link,
        )
