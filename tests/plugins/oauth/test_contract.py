from __future__ import annotations

import asyncio

import pytest

from visado.request import Request
from visado_kit.strategy import StrategyContract
from visado_oauth.client import challenge_of

from . import hostile
from .in_process import parameters, provider, settings

VERIFIER = "a-verifier-of-the-contract-with-at-least-43-characters"


@pytest.fixture(scope="class", autouse=True)
def shady(request):
    request.cls.provider = hostile.Hostile()
    yield
    request.cls.provider.close()


class TestOauth(StrategyContract):
    timing_samples = 8

    def settings(self):
        return settings({"shady": provider(self.provider.issuer, auto_create=False)})

    def make(self, host):
        self.strategy = host.security.strategies["shady"]
        return self.strategy

    def credentials(self, number):
        return {"sub": f"Sub-{number}"}

    def login(self, credentials):
        """Start a login without a browser, as an application does, and return its second step."""

        async def begin():
            body = {"challenge": challenge_of(VERIFIER)}
            found = await self.strategy.authenticate(Request("1", "auth", "login", {}, body))
            return parameters(found.location)

        sent = _now(begin())
        return {"code": hostile.code(credentials["sub"], sent["nonce"]), "state": sent["state"], "verifier": VERIFIER}

    def wrong(self, body):
        return {**body, "code": "not-a-code"}

    def unknown(self, body):
        return {**body, "code": hostile.code("nobody", hostile.unpack(body["code"])["nonce"])}

    def changed(self, credentials):
        return {"sub": f"{credentials['sub']}-changed"}

    def subject(self, credentials):
        return credentials["sub"]

    def secrets(self, credentials):
        return [hostile.SECRET]

    def redirecting(self):
        return {}


def _now(coroutine):
    """Run a coroutine that never suspends, from within a running loop."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as done:
        return done.value
    except RuntimeError:
        raise
    finally:
        coroutine.close()
        asyncio.get_running_loop()
