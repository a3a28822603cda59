"""A host in this process, with the hostile provider."""

from __future__ import annotations

from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

from tests.waiting import until_async
from visado import Fail, Outcome, Query, Redirect, errors
from visado.request import Connection, Request, User, set_current
from visado_kit.clock import system_time
from visado_kit.in_process import build_host
from visado_oauth.providers.discovery import DISCOVERY_PENDING

from .hostile import SECRET


def provider(issuer, **more):
    given = {"issuer": issuer, "client_id": "hosts-id", "client_secret": SECRET}
    return {**given, "redirect_uri": "https://auth.example.com/_login/shady", **more}


def settings(providers, **section):
    return {
        "oauth": {"http_on_loopback": True, "timeout": 1, "providers": providers, **section},
    }


def parameters(address):
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


class Scene:
    """A client of a host, with a browser or without one."""

    def __init__(self, host):
        self.host = host

    def strategy(self, name="shady"):
        return self.host.security.strategies[name]

    def request(self, args=None, *, body=None, cookie=None, name="shady", socket=False, user=None, action="login"):
        headers = {b"cookie": cookie.encode()} if cookie else {}
        connection = Connection("websocket" if socket else "http", headers=headers, secure=True)
        made = Request(
            "1", "auth", action, {"strategy": name, **(args or {})}, body, textual=not socket, connection=connection
        )
        if user is not None:
            made.user = User(user, ("default",))
        set_current(made)
        return made

    async def ask(self, args=None, *, name="shady", **more) -> Outcome:
        """Ask the host for a login, and return what it came to: a `Success` names the id of the user."""
        request = self.request(args, name=name, **more)
        owner = request.user if more.get("user") else None
        try:
            found = await self.host.security.logins.log_in(request, name, owner=owner)
        except errors.LoginRefused as refusal:
            return Fail(str(refusal))
        return found if isinstance(found, Redirect) else found.admission.login.success

    async def token(self, args=None, *, name="shady", **more):
        """Log in, and return the text of the token."""
        return (await self.host.security.logins.log_in(self.request(args, name=name, **more), name)).issued.text

    async def rows(self, collection):
        """Return all documents of a collection."""
        return dict((await self.host.storage.search(collection, Query())).hits)

    async def begin(self, name="shady", args=None, **more):
        """Start a login in a browser; return the parameters of the login page's URL, and the cookie."""
        found = await self.ask(args, name=name, **more)
        return parameters(found.location), found.cookies[0].partition(";")[0]

    async def back(self, make, name="shady", **more):
        """Start a login; return the callback and the cookie. `make` returns the code for a nonce."""
        sent, cookie = await self.begin(name, **more)
        return {"code": make(sent.get("nonce")), "state": sent["state"]}, cookie

    async def log_in(self, make, name="shady", **more):
        back, cookie = await self.back(make, name, **more)
        return await self.ask(back, name=name, cookie=cookie)


@asynccontextmanager
async def staged(folder, given, clock=None):
    async with build_host(folder, given, clock or system_time) as host:
        await host.open()
        for strategy in host.security.strategies.values():
            await until_async(lambda each=strategy: each.problem() != DISCOVERY_PENDING)
        yield Scene(host)
