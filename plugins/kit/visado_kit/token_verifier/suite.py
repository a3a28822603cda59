"""The token verifier under test: the subclass makes it and its credentials, and each test has a host of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final

from visado import Fields, Request, TokenVerifier
from visado_kit.client_request import ClientRequest, build_request
from visado_kit.clock import Clock
from visado_kit.expectations import SERVER_ERROR, short_repr
from visado_kit.in_process import InProcessHost, Response, build_host

ANONYMOUS_ID: Final = "-1"
_ACTION: Final = "auth:getCurrentUser"


@dataclass(frozen=True, slots=True)
class TokenVerifierHarness:
    """The token verifier under test, in an open host."""

    host: InProcessHost
    verifier: TokenVerifier
    clock: Clock

    def build(self, sent: ClientRequest) -> Request:
        """Make the request of `auth:getCurrentUser` with what a client sends."""
        return build_request(sent, action=_ACTION)

    async def run(self, sent: ClientRequest) -> Response:
        """Ask for the user of a request that brings this."""
        return await self.host.send(sent, _ACTION)

    async def user(self, sent: ClientRequest) -> str | None:
        """Return the id of the user of a request that brings this; None where the host refuses it."""
        response = await self.run(sent)
        result: Any = response.reply.result
        return result["_id"] if response.error is None else None


class TokenVerifierSuite(ABC):
    """The hooks that make the verifier and its credentials."""

    unforgeable: ClassVar[bool] = True
    """Whether only its issuer can make a valid credential; False for a text that is trusted: a proxy's header."""
    parallel: ClassVar[int] = 20
    """How many requests are sent at once."""
    max_block_seconds: ClassVar[float] = 0.05
    """For how long a call may block the event loop."""

    @abstractmethod
    def make(self, host: InProcessHost) -> TokenVerifier:
        """Make the verifier, or return the one that the host has."""

    async def enroll(self, harness: TokenVerifierHarness, number: int) -> None:  # noqa: ARG002 - optional
        """Make the user of `valid(harness, number)`, unless the host makes it by `AccountRules(auto_create=True)`."""
        return

    @abstractmethod
    def valid(self, harness: TokenVerifierHarness, number: int) -> ClientRequest:
        """Return a valid credential of the user `number`: 0, 1, 2, ..."""

    def invalid(self, harness: TokenVerifierHarness) -> Iterable[ClientRequest]:  # noqa: ARG002 - optional
        """Yield credentials that must be refused: expired, of another issuer, for another audience, of a wrong key."""
        return ()

    def secrets(self, sent: ClientRequest) -> list[str]:
        """Return the texts that must not appear in a log or a response. By default, every text that is sent."""
        return [text for text in (sent.token, *sent.headers.values()) if text]

    def settings(self) -> Fields:
        """Return settings for the host, by section."""
        return {}

    @asynccontextmanager
    async def harness(self, folder: Path) -> AsyncGenerator[TokenVerifierHarness, None]:
        """Open a host with the verifier in it."""
        clock = Clock()
        async with build_host(folder, self.settings(), clock) as host:
            verifier = self.make(host)
            host.replace_token_verifier(verifier)
            await host.open()
            yield TokenVerifierHarness(host, verifier, clock)

    async def enrolled(self, harness: TokenVerifierHarness, number: int = 0) -> ClientRequest:
        """Make the user `number`; return a valid credential of it."""
        await self.enroll(harness, number)
        return self.valid(harness, number)


def describe(response: Response) -> str:
    """Describe a response in a line, for a message."""
    if response.error is not None:
        return f"the error {response.error.id} ({response.error})"
    return f"the result {short_repr(response.reply.result)}"


def expect_no_user(response: Response, advice: str) -> None:
    """Expect an error of 4xx, or the result of the anonymous user."""
    result: Any = response.reply.result
    if response.error is None:
        assert result["_id"] == ANONYMOUS_ID, f"{advice}; the host took it for the user {result['_id']}"
    else:
        assert response.error.status < SERVER_ERROR, (
            f"{advice}; the client got {describe(response)}: the log says what was raised"
        )


def altered(sent: ClientRequest) -> Iterable[ClientRequest]:
    """Yield a request with other letters and digits at some places, and cut off: the token, then each header."""
    for text in _altered(sent.token or "") if sent.token is not None else ():
        yield replace(sent, token=text)
    for name, value in sent.headers.items():
        for text in _altered(value):
            yield replace(sent, headers={**sent.headers, name: text})


def _altered(text: str) -> Iterable[str]:
    places = [place for place, char in enumerate(text[:-4]) if char.isalnum() and char.isascii()]
    for part in (4, 2, 4 / 3, 1.05):
        if places:
            place = places[min(len(places) - 1, int(len(places) / part))]
            yield f"{text[:place]}{'A' if text[place] != 'A' else 'B'}{text[place + 1 :]}"
    yield text[: len(text) * 2 // 3]
    yield text[:-8]
