"""The controller `totp`, for users, and the action of administrators that disables a user's second factor."""

from __future__ import annotations

from typing import ClassVar

from visado import BodyText, Controller, Fields, Id, Request, action, delete, get, post
from visado_totp.enrolments import Enrolments
from visado_totp.errors import AlreadyEnrolled, MayNotDisable
from visado_totp.login_check import TotpLoginCheck


class TotpController(Controller):
    """Users manage their own authenticators."""

    name: ClassVar[str] = "totp"

    def __init__(self, check: TotpLoginCheck) -> None:
        self._check, self._enrolments = check, check.enrolments

    @action(get("/_totp"), extension=True, login_required=True)
    async def get_status(self, request: Request) -> Fields:
        """Return whether the current user has enrolled: `{enrolled, required, since, recoveryCodes}`."""
        user = request.user
        enrolment = await self._enrolments.get(user.id)
        return {
            "enrolled": enrolment is not None,
            "required": self._check.must_enrol(user),
            "since": enrolment["since"] if enrolment else None,
            "recoveryCodes": len(enrolment["recovery"]) if enrolment else 0,
        }

    @action(post("/_totp/_begin"), extension=True, login_required=True, personal=True)
    async def begin(self, request: Request) -> Fields:
        """Offer the current user an authenticator: `{enrolment, secret, uri, qr, digits, period}`.

        `qr` is a QR code of `uri`: a PNG in a `data:` URI. Nothing is stored until `totp:confirm` receives `enrolment`.
        """
        user = request.user
        if await self._enrolments.get(user.id) is not None:
            raise AlreadyEnrolled
        return await self._check.offer(user)

    @action(post("/_totp/_confirm"), extension=True, login_required=True, personal=True)
    async def confirm(self, request: Request, enrolment: BodyText, code: BodyText) -> Fields:
        """Enrol the current user with the first code: `{recoveryCodes}`, which are returned this once."""
        user = request.user
        return {"recoveryCodes": await self._enrolments.enrol(user.id, enrolment, code)}

    @action(post("/_totp/_disable"), extension=True, login_required=True, personal=True)
    async def disable(self, request: Request, code: BodyText) -> Fields:
        """Disable the second factor of the current user, with a code or a recovery code."""
        user = request.user
        if not self._check.section.may_disable:
            raise MayNotDisable
        await self._enrolments.use_code(user.id, code)
        await self._enrolments.disable(user.id)
        return {"acknowledged": True}

    @action(post("/_totp/_renewRecoveryCodes"), extension=True, login_required=True, personal=True)
    async def renew_recovery_codes(self, request: Request, code: BodyText) -> Fields:
        """Replace the recovery codes of the current user, with a code or a recovery code: `{recoveryCodes}`."""
        user = request.user
        await self._enrolments.use_code(user.id, code)
        return {"recoveryCodes": await self._enrolments.renew_recovery_codes(user.id)}

    @action(post("/_totp/_forgetDevices"), extension=True, login_required=True, personal=True)
    async def forget_devices(self, request: Request) -> Fields:
        """Forget the remembered devices of the current user: each is asked for a code again."""
        user = request.user
        await self._enrolments.forget_devices(user.id)
        return {"acknowledged": True}


class TotpSecurityController(Controller):
    """Administrators manage the authenticators of other users.

    The action belongs to `security`, so that a role with all actions of `totp` has no rights over other users.
    """

    name: ClassVar[str] = "security"

    def __init__(self, enrolments: Enrolments) -> None:
        self._enrolments = enrolments

    @action(delete("/users/:_id/_totp"), extension=True)
    async def disable_totp(self, request: Request, id: Id) -> Fields:  # noqa: ARG002
        """Disable the second factor of a user who has lost the authenticator, and forget the user's devices."""
        await self._enrolments.disable(id)
        return {"acknowledged": True}
