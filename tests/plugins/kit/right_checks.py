"""Two correct login checks of one factor, which are alternatives, and the kit's suite for each.

A code by an app, and a printed list of codes: a login needs one of them, and a user who has neither is offered a list.
"""

from __future__ import annotations

import hashlib
import hmac

from visado import Accept, Challenge, Collection, Fail, LoginCheck, Pass
from visado_kit import LoginCheckContract

from .right import is_text

FACTOR = "second"
METHODS = frozenset({"otp"})
STEP_MS = 30_000


class App(LoginCheck):
    """A code of an app that shares a key with the host; each step of time has another code, which works once."""

    name = "app"
    factor = FACTOR
    tries = 2

    def __init__(self, host):
        self.storage, self.clock = host.storage, host.clock
        self.storage.declare(Collection("app"))

    async def give(self, user_id, key):
        await self.storage.create("app", user_id, {"key": key, "used": 0})

    async def forget(self, user_id):
        await self.storage.delete("app", user_id)

    async def check(self, login):
        if await self.storage.get("app", login.user.id) is None:
            return Pass()
        return Challenge(reason="A code of your app, please.", tries=self.tries)

    async def answer(self, login, state):
        code = login.request.fields.get("code")
        if not is_text(code):
            return Fail("wrong code")
        return Accept(methods=METHODS) if await self.take(login.user.id, code) else Fail("wrong code")

    async def take(self, user_id, code):
        step, right = self.clock() // STEP_MS, False

        def change(row):
            nonlocal right
            right = row["used"] < step and hmac.compare_digest(code.encode(), code_of(row["key"], step).encode())
            return {**row, "used": step} if right else row

        await self.storage.update("app", user_id, change)
        return right


def code_of(key, step):
    return hmac.new(key.encode(), str(step).encode(), "sha256").hexdigest()[:10]


class AppContract(LoginCheckContract):
    """The input of `App`."""

    Plugin = App
    SKIPPED = frozenset({"test_refuses", "test_offers_itself"})
    methods = METHODS

    def make(self, host):
        return self.Plugin(host)

    async def enroll(self, harness, user_id):
        await harness.check.give(user_id, f"key-of-{user_id}")

    async def answer(self, harness, user_id, challenge):
        harness.clock.advance(30)
        return {"code": code_of(f"key-of-{user_id}", harness.clock() // STEP_MS)}


class Printed(LoginCheck):
    """A printed list of codes, each of which works once. Who has no list may be offered one at its login."""

    name = "printed"
    factor = FACTOR

    def __init__(self, host, offers=True):
        self.storage, self.offers = host.storage, offers
        self.storage.declare(Collection("printed"))

    async def give(self, user_id, codes):
        await self.storage.create("printed", user_id, {"left": [digest(user_id, each) for each in codes]})

    async def forget(self, user_id):
        await self.storage.delete("printed", user_id)

    async def check(self, login):
        if await self.storage.get("printed", login.user.id) is not None:
            return Challenge({"fields": ["code"]}, reason="A code of your list, please.")
        return self.offer(login.user.id) if self.offers else Pass()

    def offer(self, user_id):
        codes = [digest(user_id, f"{number}")[:10] for number in range(10)]
        return Challenge({"codes": codes}, {"codes": codes}, "Print these codes.", enrols=True)

    async def answer(self, login, state):
        code = login.request.fields.get("code")
        if not is_text(code):
            return Fail("wrong code")
        if "codes" in state:
            return await self.enrol(login.user.id, state["codes"], code)
        taken = await self.take(login.user.id, digest(login.user.id, code))
        return Accept(methods=METHODS) if taken else Fail("wrong code")

    async def enrol(self, user_id, codes, code):
        if code != codes[0]:
            return Fail("wrong code")
        await self.give(user_id, codes[1:])
        return Accept(methods=METHODS)

    async def take(self, user_id, digest):
        taken = False

        def change(row):
            nonlocal taken
            taken = digest in row["left"]
            return {"left": [each for each in row["left"] if each != digest]}

        await self.storage.update("printed", user_id, change)
        return taken


def digest(user_id, code):
    return hashlib.sha256(f"{user_id}:{code}".encode(errors="surrogatepass")).hexdigest()


class PrintedContract(LoginCheckContract):
    """The input of `Printed`."""

    Plugin = Printed
    SKIPPED = frozenset({"test_refuses", "test_accepts_other_users", "test_forgets_deleted_users"})
    accepts_others = False
    offers = True
    methods = METHODS

    def make(self, host):
        return self.Plugin(host)

    async def enroll(self, harness, user_id):
        await harness.check.give(user_id, [self.code(user_id, number) for number in range(20)])

    async def answer(self, harness, user_id, challenge):
        used = self.__dict__.setdefault("used", {})
        used[user_id] = used.get(user_id, -1) + 1
        return {"code": self.code(user_id, used[user_id])}

    def code(self, user_id, number):
        return f"code-{number}-of-{user_id}"


class TestApp(AppContract):
    """The whole suite."""


class TestPrinted(PrintedContract):
    """The whole suite."""
