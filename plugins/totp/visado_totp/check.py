"""The login check `totp`: a code of an authenticator, after whatever strategy has agreed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from visado import Accept, Challenge, Decision, Fail, Fields, Login, LoginCheck, Request, User, Users, errors
from visado_totp import devices
from visado_totp.authenticator import Key, picture
from visado_totp.enrolments import Enrolments, Row
from visado_totp.errors import WrongCode
from visado_totp.settings import TotpSection


class TotpCheck(LoginCheck):
    """Asks users who have enrolled for a code, and those who must enrol to do so.

    The answer to a challenge is `code`, a recovery code if need be, and `remember`: true for a `device` beside the
    token, which later logins send beside their credentials; "cookie" for a cookie of the browser.
    """

    name = "totp"

    def __init__(self, section: TotpSection, users: Users, enrolments: Enrolments) -> None:
        self._section, self._users, self._enrolments = section, users, enrolments
        self._devices = enrolments.devices

    @override
    async def open(self) -> None:
        self._enrolments.prepare()

    @override
    async def check(self, login: Login) -> Decision:
        user_id = login.user.id
        state: Fields = {
            "attempts": self._section.attempts,
            "endsAt": self._enrolments.clock() + self._section.challenge_lifetime,
        }
        row = await self._enrolments.get(user_id)
        if row is None:
            if not self.required_of(login.user):
                return Accept()
            key, offer = self._enrolments.offer(user_id)
            return await self._ask_to_enrol(login.user, key, {**state, "offer": offer})
        if await self._devices.knows(user_id, row["generation"], _device(login.request, user_id)):
            return Accept()
        self._enrolments.refuse_guessing(row)
        return self._ask(row, state)

    @override
    async def answer(self, login: Login, state: Fields) -> Decision:
        request, user_id = login.request, login.user.id
        remember, code = self._wish(request), request.fields.get("code")
        data: Fields = {}
        if code is None:  # a page to which a browser was sent knows no more than the reference
            return await self._ask_again(login.user, state)
        try:
            if "offer" in state:
                data["recoveryCodes"] = await self._enrolments.enrol(user_id, state["offer"], code)
            else:
                await self._enrolments.spend(user_id, code)
        except WrongCode as wrong:
            left = state["attempts"] - 1
            if left <= 0:
                return Fail(f"{wrong.text} Log in again.")
            return await self._ask_again(login.user, {**state, "attempts": left}, wrong.text)
        if not remember:
            return Accept(data)
        token = await self._enrolments.remember_device(user_id)
        if remember == "cookie":
            secure = request.connection.secure
            return Accept(data, (devices.cookie(user_id, token, self._devices.lifetime, secure=secure),))
        return Accept({**data, "device": token})

    @override
    async def forget(self, user_id: str) -> None:
        await self._enrolments.forget(user_id)

    def required_of(self, user: User) -> bool:
        """Whether the settings want this user to enrol."""
        section = self._section
        if section.required or not set(section.required_profiles).isdisjoint(user.profile_ids):
            return True
        return not self._users.roles(user).isdisjoint(section.required_roles)

    async def offer(self, user: User) -> Fields:
        """Make what a user enrols with: `{enrolment, secret, uri, qr, digits, period}`."""
        key, offer = self._enrolments.offer(user.id)
        return {"enrolment": offer, **await self._shown(user, key)}

    async def _shown(self, user: User, key: Key) -> Fields:
        account = user.content.get(self._section.account)
        uri = key.uri(self._section.issuer, account if isinstance(account, str) and account else user.id)
        qr = await asyncio.to_thread(picture, uri)
        return {"secret": key.secret, "uri": uri, "qr": qr, "digits": key.digits, "period": key.period}

    async def _ask_again(self, user: User, state: Fields, *reason: str) -> Challenge:
        if "offer" in state:
            return await self._ask_to_enrol(user, self._enrolments.offered(user.id, state["offer"]), state, *reason)
        return self._ask(await self._enrolments.find(user.id), state, *reason)

    async def _ask_to_enrol(
        self, user: User, key: Key, state: Fields, reason: str = "Enrol an authenticator, and send its code."
    ) -> Challenge:
        return self._challenge(reason, {"enrol": True, **await self._shown(user, key)}, state)

    def _ask(self, row: Row, state: Fields, reason: str = "Send the code of your authenticator.") -> Challenge:
        return self._challenge(reason, {"enrol": False, "digits": row["digits"]}, state)

    def _challenge(self, reason: str, data: Mapping[str, Any], state: Fields) -> Challenge:
        shown = {**data, "attempts": state["attempts"], "remember": self._devices.lifetime}
        left = state["endsAt"] - self._enrolments.clock()  # or a password that was right once would be so for ever
        return Challenge(reason, shown, state, max(left, 1) / 1_000)

    def _wish(self, request: Request) -> object:
        """Read whether, and how, the device wants to be remembered. Raises `InvalidArgument`."""
        wish = request.fields.get("remember", False)
        if not isinstance(wish, bool) and (wish != "cookie" or request.connection.transport != "http"):
            raise errors.InvalidArgument(argument="body.remember", expected='true, or over HTTP "cookie"')
        return wish if self._devices.lifetime else False


def _device(request: Request, user_id: str) -> object:
    """Find what a remembered device sends: a member of the body, or a cookie."""
    if "device" in request.fields:
        return request.fields["device"]
    return devices.in_cookies(request.header("cookie"), user_id, secure=request.connection.secure)
