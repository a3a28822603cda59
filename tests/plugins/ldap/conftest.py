from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from visado import Actor, Fail, Identity, Success, errors
from visado.request import Request
from visado_kit.in_process import build_host

from . import slapd

ADMINISTRATOR, OWNER, STRANGER = Actor("administrator"), Actor("owner"), Actor("stranger")


def need(missing):
    """Skip where programs are missing; in CI they must be there."""
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"not installed: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    need([name for name in ("openssl",) if name in slapd.missing()])
    return slapd.make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def directory(tls, tmp_path_factory):
    """A slapd that tests share and must not change."""
    need(slapd.missing())
    server = slapd.Slapd(tmp_path_factory.mktemp("slapd"), tls).start()
    yield server
    server.stop()


@pytest.fixture
def own_directory(tls, tmp_path):
    """A slapd that a test may change and stop."""
    need(slapd.missing())
    server = slapd.Slapd(tmp_path / "slapd", tls).start()
    yield server
    server.stop()


def settings_of(*servers, secure=False, **others):
    """The settings of a directory of these servers."""
    return {
        "url": [server.tls_url if secure else server.url for server in servers],
        "ca_file": str(servers[0].tls / "ca.pem"),
        "bind_dn": slapd.SERVICE,
        "bind_password": slapd.SERVICE_PASSWORD,
        "search_base": slapd.PEOPLE,
        **others,
    }


@dataclass
class Play:
    """A host with one directory."""

    host: object
    name: str = "ldap"

    @property
    def strategy(self):
        return self.host.security.strategies[self.name]

    async def authenticate(self, body, **args):
        """Return the outcome of a login; a success names the user that the host finds or makes, as in `auth:login`."""
        security, request = self.host.security, Request("1", "auth", "login", args, body)
        outcome = await self.strategy.authenticate(request)
        if not isinstance(outcome, Success):
            return outcome
        assert isinstance(outcome.who, Identity)
        assert outcome.methods == {"pwd"}
        try:
            user = await security.identities.resolve(self.name, outcome.who, self.strategy.accounts)
        except errors.LoginRefused as refused:
            return Fail(refused.values["reason"])
        return Success(user.id)

    async def login(self, username, password):
        return await self.authenticate({"username": username, "password": password})

    async def user(self, user_id, *profiles):
        return await self.host.security.users.create({"profileIds": list(profiles or ["default"])}, user_id)

    async def link(self, user_id, **credentials):
        await self.user(user_id)
        await self.strategy.validate(user_id, credentials, ADMINISTRATOR, update=False)
        return await self.strategy.create(user_id, credentials, ADMINISTRATOR)

    async def row(self, user_id):
        return (await self.host.security.credentials.get_of_user(self.name, user_id))[1]

    async def profiles(self, user_id):
        return list((await self.host.security.users.get(user_id)).profile_ids)


@asynccontextmanager
async def playing(folder, directory_settings, preset="compatible", **sections):
    given = {"ldap": {"directories": {"ldap": directory_settings}}, "security": {"preset": preset}, **sections}
    async with build_host(folder, given) as host:
        await host.open()
        yield Play(host)


@pytest.fixture
def play(tmp_path):
    """Run a coroutine function with a `Play` on a directory with these settings."""

    def run(scene, directory_settings, *, preset="compatible", **sections):
        async def main():
            async with playing(tmp_path / "host", directory_settings, preset, **sections) as each:
                return await scene(each)

        return asyncio.run(main())

    return run
