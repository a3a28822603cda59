"""`find`: it only looks, at any request."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import pytest

from visado import Connection, Fields, Request
from visado_kit.client_request import ClientRequest
from visado_kit.expectations import short_repr
from visado_kit.harness import with_harness
from visado_kit.hostile import HOSTILE_VALUES
from visado_kit.token_verifier.suite import TokenVerifierHarness, TokenVerifierSuite, expect_no_user

_HOSTILE_TEXTS: Final = [
    *(each for each in HOSTILE_VALUES if isinstance(each, str)),
    *(".", "..", "a.b.c", "Bearer", "Basic", "Basic ", "Basic a", "Basic \xff", "Negotiate", "\xe9" * 300),
]
_LOOKS: Final = 100


class TokenVerifierFinding(TokenVerifierSuite):
    """`find` returns the same text for the same request, changes nothing, and never raises."""

    @with_harness
    async def test_find_only_looks(self, harness: TokenVerifierHarness) -> None:
        """`find` returns the same text each time, leaves the request as it is, and does not wait."""
        sent = await self.enrolled(harness)
        request = harness.build(sent)
        before, texts = _state(request), set[str | None]()
        started = time.perf_counter()
        for _ in range(_LOOKS):
            texts.add(harness.verifier.find(request))
        seconds = (time.perf_counter() - started) / _LOOKS
        assert len(texts) == 1, "return the same text from find() for the same request: the host caches by this text"
        assert _state(request) == before, "find() must not change the request"
        assert seconds < self.max_block_seconds, f"find() took {seconds:.3f} s: look only, and do the work in verify()"

    @with_harness
    async def test_hostile_requests_are_refused(self, harness: TokenVerifierHarness) -> None:
        """Any text in the place of the credential leads to no user, and to no error of 500."""
        sent = await self.enrolled(harness)
        await harness.run(sent)
        for each in _hostile(sent):
            what = (
                f"this request had the bearer token {short_repr(each.token)} and the headers {short_repr(each.headers)}"
            )
            try:
                harness.verifier.find(harness.build(each))
            except Exception as error:
                pytest.fail(
                    f"find() must not raise: check what a client sends before using it; it raised {error!r}; {what}"
                )
            if self.unforgeable:
                expect_no_user(
                    await harness.run(each), f"return None from verify() for a credential that is malformed; {what}"
                )
            else:
                response = await harness.run(each)
                assert response.error is None or response.error.status < 500, what

    @with_harness
    async def test_find_looks_at_any_request(self, harness: TokenVerifierHarness) -> None:
        """`find` does not rely on an action, a body or arguments."""
        bodies: tuple[Fields | list[Any] | None, ...] = (None, {}, [], {"jwt": 1})
        for body in bodies:
            for connection in (Connection("http"), Connection("websocket")):
                request = Request("1", None, None, {}, body, connection=connection)
                try:
                    harness.verifier.find(request)
                except Exception as error:
                    pytest.fail(f"find() must not raise for a request without action, body and headers: {error!r}")


def _hostile(sent: ClientRequest) -> Iterable[ClientRequest]:
    for text in _HOSTILE_TEXTS:
        if sent.token is not None and not text.startswith(("kauth-", "kapikey-")):
            yield replace(sent, token=text)
            if text.strip():
                yield replace(sent, token=f"{text}{sent.token}")
        if not text.isprintable():
            continue
        for name in sent.headers:
            if all(ord(char) < 256 for char in text):
                yield replace(sent, headers={**sent.headers, name: text})


def _state(request: Request) -> Any:
    return copy.deepcopy(
        (request.controller, request.action, request.args, request.body, request.jwt, request.cookie)
    ), dict(request.connection.headers)
