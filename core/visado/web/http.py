"""The HTTP endpoint of the API: read a request, run it through the pipeline, write the response."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Hashable
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.types import Receive, Scope, Send

from visado import errors
from visado.controller import ActionTable
from visado.pipeline import CAUSE_IN_LOG, Pipeline
from visado.response import Reply, Response
from visado.settings.loading import Settings
from visado.settings.sections import HttpSection, LimitsSection, ServerSection
from visado.web import write
from visado.web.cache import ResponseCache
from visado.web.origins import CrossOrigin, Origins
from visado.web.read import Disconnected, Incoming, read
from visado.web.request_headers import content_length
from visado.web.routes import INCOMING, Routes
from visado.web.write import Outgoing, Writer

_access_log = logging.getLogger("visado.access")
_MAX_CACHED_BODY_BYTES: Final = 1_024
"""A request with a larger body is not asked for in the cache."""
_MAX_CACHED_HEAD_BYTES: Final = 4_096
_PROBES: Final = frozenset({b"/_healthcheck", b"/_ready"})


class HttpEndpoint:
    """Answers HTTP requests of the API; an ASGI application."""

    def __init__(
        self,
        pipeline: Pipeline,
        table: ActionTable,
        routes: Routes,
        cache: ResponseCache,
        settings: Settings,
        node: str,
    ) -> None:
        self._pipeline, self._routes, self._cache = pipeline, routes, cache
        self._limits = settings[LimitsSection]
        server = settings[ServerSection]
        self._origins = Origins(server.public_url, server.trusted_proxies)
        self._writes_log = server.access_log
        self._writer = Writer(CrossOrigin(settings[HttpSection]), node)
        self._cacheable_posts = {
            route.path.encode() for each in table if each.cacheable for route in each.routes if route.verb == "POST"
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: read it, run it, write the response, and remember the response if that is allowed."""
        if INCOMING not in scope and await self.answer_from_cache(scope, receive, send):
            return
        incoming: Incoming = scope.pop(INCOMING)  # each refers to the other: the collector would have to part them
        version = self._cache.version
        try:
            response = self._fixed_response(incoming)
            if response is None:
                response = await self._pipeline.run(read(incoming, self._routes, self._origins))
            outgoing = self._writer.write(response, incoming)
            if not write.send_at_once(outgoing, incoming):
                await write.send(outgoing, incoming, send)
        except Disconnected:
            return
        if incoming.key is not None and not outgoing.compressed and incoming.head_bytes <= _MAX_CACHED_HEAD_BYTES:
            self._cache.remember(incoming.key, version, response, outgoing.body, outgoing.headers)
        self._log(incoming, outgoing.status)

    def _fixed_response(self, incoming: Incoming) -> Response | None:
        """Return the response to OPTIONS and to the probes of an orchestrator; None for a request of an action."""
        if incoming.method == "OPTIONS":
            return Response(incoming.request_id, Reply({}))
        if incoming.path in _PROBES and incoming.method in ("GET", "HEAD"):
            is_up = incoming.path == b"/_healthcheck" or not self._pipeline.stopping
            return Response(incoming.request_id, Reply(None, 200 if is_up else 503))
        return None

    async def answer_from_cache(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Send the cached response to an equal request. Return False where the request has to run."""
        incoming = Incoming(scope, receive, self._limits)
        try:
            if incoming.method == "GET":
                key = incoming.key_of_head() if incoming.complete else None
            else:
                key = await self._key_of_post(incoming)
            incoming.key = key
            cached = self._cache.ask(key) if key is not None else None
            if cached is None:
                scope[INCOMING] = incoming
                return False
            outgoing = Outgoing(write.OK, cached.headers, cached.body(incoming.request_id), head=cached.head)
            if not write.send_at_once(outgoing, incoming):
                await write.send(outgoing, incoming, send)
        except Disconnected:
            return True
        self._log(incoming, write.OK)
        return True

    async def _key_of_post(self, incoming: Incoming) -> Hashable:
        """Return what an equal request with a body has in common with this one; None where it is never cached."""
        if incoming.method != "POST" or incoming.path not in self._cacheable_posts:
            return None
        length = content_length(incoming.headers)
        if length is None or length > _MAX_CACHED_BODY_BYTES:
            return None
        key = incoming.key_of_head()
        if key is not None:
            # The pipeline reads the body again, and answers with what is wrong.
            with contextlib.suppress(errors.RequestTooLarge, TimeoutError):
                return key, await incoming.read_data()
        return None

    async def refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that comes while the host cannot open: the log says why."""
        outgoing, incoming = self._failure(scope, receive)
        with contextlib.suppress(Disconnected):
            await write.send(outgoing, incoming, send)

    async def fail(self, request: HttpRequest, _: Exception) -> HttpResponse:
        """Answer a request whose page or middleware, of a plugin, raised an exception: the log holds it."""
        outgoing, incoming = self._failure(request.scope, request.receive)
        response = HttpResponse(outgoing.body, outgoing.status)
        response.raw_headers = write.all_headers(outgoing, incoming)
        return response

    def _failure(self, scope: Scope, receive: Receive) -> tuple[Outgoing, Incoming]:
        """Return the response to a request that failed outside of the pipeline, and the request."""
        incoming = Incoming(scope, receive, self._limits)
        response = Response(incoming.request_id, Reply(None), errors.PluginFailed(cause=CAUSE_IN_LOG))
        return self._writer.write(response, incoming), incoming

    def _log(self, incoming: Incoming, status: int) -> None:
        if self._writes_log:
            client = self._origins.address(incoming.scope, incoming.headers)
            _access_log.info("%s %r %s", client or "-", f"{incoming.method} {incoming.path.decode('latin-1')}", status)
