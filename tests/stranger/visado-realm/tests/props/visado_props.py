"""What the tests log in with behind `realm`: a kind, a slow strategy, a strategy that passes on, and a second factor."""

import asyncio

from pydantic import BaseModel, ConfigDict
from visado import Accept, Challenge, Fail, LoginCheck, Pass, Redirect, Strategy, StrategyKind, Success, hookimpl


class Door(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    user: str
    domain: str = ""
    listed: bool = False


class DoorStrategy(Strategy):
    title = "Door"

    def __init__(self, name, settings):
        self.name, self._user, self.listed = name, settings.user, settings.listed

    async def authenticate(self, request):
        match request.fields.get("password"):
            case "mellon":
                return Success(self._user)
            case "ask":
                return Challenge({"riddle": "friend?"}, {"word": "friend"}, tries=2)
            case "away":
                return Redirect("https://idp.example/?state=" + request.reference, state={"ok": 1})
        return Fail("wrong word")

    def reference(self, request):
        state = request.args.get("state")
        return state if isinstance(state, str) else None

    async def answer(self, request, state):
        if state.get("ok") or request.fields.get("word") == state["word"]:
            return Success(self._user)
        return Fail("wrong word")


class Doors(StrategyKind):
    name, settings = "door", Door

    def make(self, name, settings):
        return DoorStrategy(name, settings)


class Slow(Strategy):
    name, timeout, concurrency, listed = "slow", 0.5, 1, False

    async def authenticate(self, request):
        await asyncio.Event().wait()  # never
        return Success("ann")


class Ping(Strategy):
    name, listed = "ping", False

    async def authenticate(self, request):
        return Pass(to="realm")


class Pin(LoginCheck):
    name = "pin"

    async def check(self, login):
        return Challenge({}, {}, "The PIN, please.") if login.user.content.get("pin") else Pass()

    async def answer(self, login, state):
        return Accept() if login.request.fields.get("pin") == login.user.content["pin"] else Fail("wrong PIN")

    async def forget(self, user_id):
        pass


@hookimpl
def register_strategies():
    return [Slow(), Ping()]


@hookimpl
def register_strategy_kinds():
    return [Doors()]


@hookimpl
def register_login_checks():
    return [Pin()]
