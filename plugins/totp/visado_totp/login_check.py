"""The login check `totp`: a code of an authenticator app, whatever the strategy of the login."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from typing_extensions import override

from visado import (
    Accept,
    Challenge,
    Decision,
    Fail,
    Fields,
    Host,
    Login,
    LoginCheck,
    Pass,
    Request,
    Settings,
    User,
    errors,
)
from visado_totp.authenticator import TotpKey, qr_data_uri
from visado_totp.devices import cookie_token, set_cookie
from visado_totp.enrolments import Enrolment, Enrolments
from visado_totp.errors import WrongCode
from visado_totp.settings import TotpSection

_METHODS: Final = frozenset({"otp", "mfa"})


class TotpLoginCheck(LoginCheck):
    """Challenges users who have enrolled to send a code, and users who must enrol to do so.

    The answer to a challenge holds `code`, which may be a recovery code, and optionally `remember`: with true, the
    answer to the login holds the token of a `device` for later logins; with "cookie", the browser receives a cookie.
    """

    name = "totp"
    factor = "second"

    def __init__(self, settings: Settings, host: Host) -> None:
        self.section, self.enrolments = settings[TotpSection], Enrolments(settings, host)
        self._users, self._clock = host.users, host.clock
        self._devices, self._satisfied_by = self.enrolments.devices, frozenset(self.section.satisfied_by)

    @override
    async def open(self) -> None:
        self.enrolments.open()

    @override
    async def check(self, login: Login) -> Decision:
        user_id = login.user.id
        if not self._satisfied_by.isdisjoint(login.success.methods):
            return Pass()
        state: Fields = {
            "attempts": self.section.attempts,
            "endsAt": self._clock() + self.section.challenge_lifetime,
        }
        enrolment = await self.enrolments.get(user_id)
        if enrolment is None:
            if not self.must_enrol(login.user):
                return Pass()
            key, offer = self.enrolments.offer(user_id)
            return await self._challenge_to_enrol(login.user, key, {**state, "offer": offer})
        if await self._devices.is_remembered(user_id, enrolment["generation"], _device_token(login.request, user_id)):
            return Accept()
        self.enrolments.limit_wrong_codes(enrolment)
        return self._challenge_for_code(enrolment, state)

    @override
    async def answer(self, login: Login, state: Fields) -> Decision:
        request, user_id = login.request, login.user.id
        remember, code = self._read_remember(request), request.fields.get("code")
        data: Fields = {}
        if code is None:  # a page that a browser was redirected to has the reference only, and asks for the rest
            return await self._challenge_again(login.user, state)
        try:
            if "offer" in state:
                data["recoveryCodes"] = await self.enrolments.enrol(user_id, state["offer"], code)
            else:
                await self.enrolments.use_code(user_id, code)
        except WrongCode as wrong:
            left = state["attempts"] - 1
            if left <= 0:
                return Fail(f"{wrong.text} Log in again.")
            return await self._challenge_again(login.user, {**state, "attempts": left}, wrong.text)
        if not remember:
            return Accept(data, _METHODS)
        token = await self.enrolments.remember_device(user_id)
        if remember == "cookie":
            secure = request.connection.secure
            return Accept(data, _METHODS, (set_cookie(user_id, token, self._devices.lifetime, secure=secure),))
        return Accept({**data, "device": token}, _METHODS)

    @override
    async def forget(self, user_id: str) -> None:
        await self.enrolments.forget(user_id)

    def must_enrol(self, user: User) -> bool:
        """Return whether the settings require this user to have a second factor."""
        if self.section.required or not set(self.section.required_profiles).isdisjoint(user.profile_ids):
            return True
        return not self._users.roles(user).isdisjoint(self.section.required_roles)

    async def offer(self, user: User) -> Fields:
        """Return an offer to enrol: `{enrolment, secret, uri, qr, digits, period}`."""
        key, offer = self.enrolments.offer(user.id)
        return {"enrolment": offer, **await self._key_fields(user, key)}

    async def _key_fields(self, user: User, key: TotpKey) -> Fields:
        account = user.content.get(self.section.account)
        uri = key.uri(self.section.issuer, account if isinstance(account, str) and account else user.id)
        qr = await asyncio.to_thread(qr_data_uri, uri)
        return {"secret": key.secret, "uri": uri, "qr": qr, "digits": key.digits, "period": key.period}

    async def _challenge_again(self, user: User, state: Fields, *reason: str) -> Challenge:
        if "offer" in state:
            key = self.enrolments.open_offer(user.id, state["offer"])
            return await self._challenge_to_enrol(user, key, state, *reason)
        return self._challenge_for_code(await self.enrolments.find(user.id), state, *reason)

    async def _challenge_to_enrol(
        self, user: User, key: TotpKey, state: Fields, reason: str = "Enrol an authenticator, and send its code."
    ) -> Challenge:
        return self._challenge(reason, {"enrol": True, **await self._key_fields(user, key)}, state)

    def _challenge_for_code(
        self, enrolment: Enrolment, state: Fields, reason: str = "Send the code of your authenticator."
    ) -> Challenge:
        return self._challenge(reason, {"enrol": False, "digits": enrolment["digits"]}, state)

    def _challenge(self, reason: str, data: Mapping[str, Any], state: Fields) -> Challenge:
        public = {**data, "attempts": state["attempts"], "remember": self._devices.lifetime}
        # Repeated challenges share one limit of time: otherwise a password that was right once would be so for ever.
        left = state["endsAt"] - self._clock()
        enrols = bool(public["enrol"])
        return Challenge(public, state, reason, max(left, 1) / 1_000, enrols=enrols)

    def _read_remember(self, request: Request) -> object:
        """Return `remember` of an answer, or False when no device is remembered. Raises `errors.InvalidArgument`."""
        remember = request.fields.get("remember", False)
        if not isinstance(remember, bool) and (remember != "cookie" or request.connection.transport != "http"):
            raise errors.InvalidArgument(argument="body.remember", expected='true, or over HTTP "cookie"')
        return remember if self._devices.lifetime else False


def _device_token(request: Request, user_id: str) -> object:
    """Return the token of a remembered device, from the body or else from a cookie; None without one."""
    if "device" in request.fields:
        return request.fields["device"]
    return cookie_token(request.cookies, user_id, secure=request.connection.secure)
