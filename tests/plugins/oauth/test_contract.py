from __future__ import annotations

from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from visado import Actor, KeepsCredentials
from visado_kit import ClientRequest, CredentialsContract, LoginContract
from visado_kit.harness import with_harness
from visado_oauth.client import challenge_of
from visado_oauth.errors import ProofRequired

from . import hostile
from .in_process import parameters, provider, settings

VERIFIER = "a-verifier-of-the-contract-with-at-least-43-characters"
ADMINISTRATOR = Actor("administrator")


@pytest.fixture(scope="class", autouse=True)
def shady(request):
    request.cls.provider = hostile.Hostile()
    yield
    request.cls.provider.close()


class Logins(LoginContract):
    """A login of two requests: to the provider, and back with a code."""

    __test__ = False
    steps = 2
    repeatable = False
    mode = "query"

    def settings(self):
        return settings({"shady": provider(self.provider.issuer, auto_create=False, response_mode=self.mode)})

    def make(self, host):
        return host.security.strategies["shady"]

    async def prepare(self, harness, number):
        user_id = await harness.create_user(number)
        await harness.strategy.create(user_id, {"sub": f"Sub-{number}"}, ADMINISTRATOR)
        return user_id

    @asynccontextmanager
    async def harness(self, folder):
        async with super().harness(folder) as harness:
            await harness.strategy.provider()  # it is discovered
            yield harness

    def back(self, number, question, **more):
        sent = parameters(question.location)
        return {"code": hostile.code(f"Sub-{number}", sent["nonce"]), "state": sent["state"], **more}

    def redirecting(self):
        return {}

    def secrets_of(self, number):
        return [hostile.SECRET]


class TestLoginsOfClients(Logins):
    """A client without cookies, which proves by a verifier that it started the login."""

    __test__ = True

    def request(self, harness, number):
        return {"challenge": challenge_of(VERIFIER)}

    def answer(self, harness, number, question):
        return self.back(number, question, verifier=VERIFIER)

    def wrong(self, sent):
        return {**sent, "code": "not-a-code"}


class TestLoginsOfBrowsers(Logins):
    """A browser whose cookie the host knows, and to which the provider's page posts the code."""

    __test__ = True
    mode = "form_post"

    def request(self, harness, number):
        return {}

    def answer(self, harness, number, question):
        address = urlsplit(question.location)
        return ClientRequest(self.back(number, question), origin=f"{address.scheme}://{address.netloc}")


class TestCredentials(CredentialsContract):
    """Identities that administrators name, and users never do: they prove theirs by a login."""

    @with_harness
    async def test_every_actor_can_manage_credentials(self, harness):
        user_id, strategy = await harness.create_user(), harness.strategy
        for kind in ("owner", "stranger"):
            by = Actor(kind)
            with pytest.raises(ProofRequired):
                await strategy.validate(user_id, {"sub": "1"}, by, update=False)
            with pytest.raises(ProofRequired):
                await strategy.create(user_id, {"sub": "1"}, by)
            assert not await strategy.exists(user_id)
        for kind in ("administrator", "host"):
            await strategy.create(user_id, {"sub": "1"}, Actor(kind))
            with pytest.raises(ProofRequired):
                await strategy.update(user_id, {"sub": "2"}, Actor("owner"))
            await strategy.delete(user_id, Actor(kind))

    def settings(self):
        return settings({"shady": provider(self.provider.issuer)})

    def make(self, host) -> KeepsCredentials:
        return host.security.strategies["shady"]

    def credentials(self, number):
        return {"sub": f"Sub-{number}"}

    def changed(self, credentials):
        return {"sub": f"{credentials['sub']}-changed"}

    def subject(self, credentials):
        return credentials["sub"]

    def secrets(self, credentials):
        return [hostile.SECRET]
