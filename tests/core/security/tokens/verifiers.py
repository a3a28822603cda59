"""A token verifier that does what it is told, and requests with its credentials."""

from __future__ import annotations

import asyncio
import inspect

from visado.request import Connection
from visado.token_verifier import TokenVerifier, Verified

INVALID = "security.token.invalid"


class Stub(TokenVerifier):
    """Knows the header `x-user` and bearers that begin with `stub.`; `said` is what `verify` returns."""

    def __init__(self, said=None, name="stub", *, timeout=5.0, concurrency=64):
        self.name, self.said, self.timeout, self.concurrency = name, said, timeout, concurrency
        self.asked: list[str] = []
        self.looked = 0

    def find(self, request):
        self.looked += 1
        if request.jwt is not None and request.jwt.startswith("stub."):
            return request.jwt
        return request.header("x-user")

    async def verify(self, credential, request):
        self.asked.append(credential)
        said = self.said
        if callable(said):
            said = said(credential)
            if inspect.isawaitable(said):
                said = await said
        return said


def add(inside, *verifiers, plugin=""):
    for each in verifiers:
        inside.host.security.token_verifiers.add(each, plugin)
    return verifiers[0]


def named(credential):
    """Verify a credential as the user that it names."""
    return Verified(credential.removeprefix("stub."))


def behind(user, **more):
    """Return a connection behind a proxy that names a user."""
    return Connection(headers={b"x-user": user.encode("latin-1")}, **more)


async def who(inside, **given):
    return (await inside.result("auth:getCurrentUser", **given))["_id"]


async def until(true):
    """Let the other tasks run until this is true."""
    for _ in range(10_000):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it does not become true")
