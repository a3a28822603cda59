"""Strategies that do what a test says, and the requests of a browser and of a socket to log in with them."""

from __future__ import annotations

from typing import Any

from tests.core.controllers.over_http import http
from visado.events import Event, Observer
from visado.request import Connection
from visado.strategy import Fail, Strategy

FORM = ("content-type", "application/x-www-form-urlencoded")


class Told(Strategy):
    """Returns `outcome` at first, and `answers` to further steps; a function gets the request (and the state)."""

    def __init__(self, name: str = "told", outcome: Any = None, answer: Any = None, **members: Any) -> None:
        self.name, self.outcome, self.answers = name, outcome, answer
        self.heard: list[Any] = []
        for member, value in members.items():
            setattr(self, member, value)

    async def authenticate(self, request):
        return await result(self.outcome, request)

    async def answer(self, request, state):
        self.heard.append(state)
        return await result(self.answers, request, state) if self.answers is not None else Fail("no")

    def reference(self, request):
        return request.args.get("state") or request.fields.get("state") or super().reference(request)

    async def logout(self, request, session):
        self.heard.append(("logout", session))


async def result(outcome, *arguments):
    if not callable(outcome):
        return outcome
    returned = outcome(*arguments)
    return await returned if hasattr(returned, "__await__") else returned


class Ears(Observer):
    """Keeps the events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def observe(self, event):
        self.events.append(event)

    def kinds(self, *names):
        return [each for each in self.events if not names or each.kind in names]


def listen(inside):
    ears = Ears()
    inside.host.security.observers.add(ears, "")
    return ears


class Browser:
    """Keeps cookies between its requests, as a browser does."""

    def __init__(self, inside, *, scheme="http", token=None) -> None:
        self.inside, self.scheme, self.token = inside, scheme, token
        self.jar: dict[str, str] = {}
        self.set: list[str] = []

    async def send(self, verb, path, body=None, *, headers=()):
        sent = [("content-type", "application/json")] if not any(name == "content-type" for name, _ in headers) else []
        sent += list(headers)
        if self.jar:
            sent.append(("cookie", "; ".join(f"{name}={value}" for name, value in self.jar.items())))
        if self.token:
            sent.append(("authorization", f"Bearer {self.token}"))
        status, found, answer = await http(self.inside, verb, path, body, headers=sent, scheme=self.scheme)
        self.set = [value for name, value in found if name == "set-cookie"]
        for cookie in self.set:
            name, _, rest = cookie.partition("=")
            self.jar[name] = rest.partition(";")[0]
        return status, found, answer

    async def login(self, name, body=None, **more):
        return await self.send("POST", f"/_login/{name}", body if body is not None else {}, **more)


def values(found, name):
    return [value for key, value in found if key == name]


def error(answer):
    return (answer.get("error") or answer).get("id") if isinstance(answer, dict) else None


def challenge(answer):
    return answer["result"]["challenge"]


def socket():
    return Connection(transport="websocket")
