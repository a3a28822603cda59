"""The strategy `magic`."""

import asyncio
import re
import secrets

from visado import AccountRules, Challenge, Fail, Fields, Host, Identity, Outcome, Request, Strategy, Success

from visado_magic.codes import Codes
from visado_magic.mail import Mailer
from visado_magic.settings import MagicForm, MagicSection

_ADDRESS = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){0,9}")


class Magic(Strategy):
    """Known and unknown addresses get the same response: whether there is a user is asked after the right code."""

    name, title, login_form = "magic", "Code by mail", MagicForm
    accounts = AccountRules(auto_create=True, refusal="wrong code")

    def __init__(self, section: MagicSection, host: Host) -> None:
        self._codes, self._mailer = Codes(host.storage, host.clock, section.mails), Mailer(section)

    async def authenticate(self, request: Request) -> Outcome:
        address, code = self.subject(request), f"{secrets.randbelow(10**6):06}"
        if address is None:
            return Fail("an e-mail address is needed")
        self._mailer.ready()
        await self._codes.note(address, request.reference, code)
        self._mailer.put(address, f"Your code is {code}. It works for fifteen minutes. Give it to nobody.\n")
        return Challenge({"sent": True}, {"address": address}, "Enter the code that we mailed.", 900, tries=5)

    async def answer(self, request: Request, state: Fields) -> Outcome:
        address, reference = state["address"], request.fields.get("challenge")
        if not await self._codes.match(address, reference, request.fields.get("code")):
            return Fail("wrong code")
        return Success(Identity(address, {"email": address}), methods=frozenset({"otp"}))

    def subject(self, request: Request) -> str | None:
        value = request.fields.get("email")
        address = value.strip().lower() if isinstance(value, str) and value.isascii() else ""
        return address if _ADDRESS.fullmatch(address) else None

    def problem(self) -> str | None:
        return self._mailer.problem

    async def open(self) -> None:
        self._tasks = [asyncio.create_task(self._mailer.run()), asyncio.create_task(self._forget())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _forget(self) -> None:
        while True:
            await self._codes.forget()
            await asyncio.sleep(600)
