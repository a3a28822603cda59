"""The controller `totp`, for users, and the action with which administrators help who has lost a device."""

from __future__ import annotations

from typing import ClassVar

from visado import BodyText, Controller, Fields, Id, Request, User, action, delete, errors, get, post
from visado_totp.check import TotpCheck
from visado_totp.enrolments import Enrolments
from visado_totp.errors import AlreadyEnrolled, MayNotDisable
from visado_totp.settings import TotpSection


class TotpController(Controller):
    """What users do with authenticators of their own."""

    name: ClassVar[str] = "totp"

    def __init__(self, section: TotpSection, check: TotpCheck, enrolments: Enrolments) -> None:
        self._section, self._check, self._enrolments = section, check, enrolments

    @action(get("/_totp"), extension=True)
    async def get_status(self, request: Request) -> Fields:
        """Say whether I have enrolled: `{enrolled, required, since, recoveryCodes}`."""
        user = _somebody(request, "getStatus")
        row = await self._enrolments.get(user.id)
        return {
            "enrolled": row is not None,
            "required": self._check.required_of(user),
            "since": row["since"] if row else None,
            "recoveryCodes": len(row["recovery"]) if row else 0,
        }

    @action(post("/_totp/_begin"), extension=True)
    async def begin(self, request: Request) -> Fields:
        """Begin to enrol an authenticator: `{enrolment, secret, uri, qr, digits, period}`.

        `qr` is a picture of `uri`, a PNG as `data:` address. Nothing changes until `enrolment` is confirmed.
        """
        user = _somebody(request, "begin")
        if await self._enrolments.get(user.id) is not None:
            raise AlreadyEnrolled
        return await self._check.offer(user)

    @action(post("/_totp/_confirm"), extension=True)
    async def confirm(self, request: Request, enrolment: BodyText, code: BodyText) -> Fields:
        """Enrol, with the first code: `{recoveryCodes}`, which are shown this once."""
        user = _somebody(request, "confirm")
        return {"recoveryCodes": await self._enrolments.enrol(user.id, enrolment, code)}

    @action(post("/_totp/_disable"), extension=True)
    async def disable(self, request: Request, code: BodyText) -> Fields:
        """Switch my second factor off, with a code or a recovery code."""
        user = _somebody(request, "disable")
        if not self._section.may_disable:
            raise MayNotDisable
        await self._enrolments.spend(user.id, code)
        await self._enrolments.remove(user.id)
        return {"acknowledged": True}

    @action(post("/_totp/_renewRecoveryCodes"), extension=True)
    async def renew_recovery_codes(self, request: Request, code: BodyText) -> Fields:
        """Put new recovery codes in the place of mine, with a code or a recovery code: `{recoveryCodes}`."""
        user = _somebody(request, "renewRecoveryCodes")
        await self._enrolments.spend(user.id, code)
        return {"recoveryCodes": await self._enrolments.renew_recovery_codes(user.id)}

    @action(post("/_totp/_forgetDevices"), extension=True)
    async def forget_devices(self, request: Request) -> Fields:
        """Ask every device of mine again, also those that were to be remembered."""
        user = _somebody(request, "forgetDevices")
        await self._enrolments.forget_devices(user.id)
        return {"acknowledged": True}


class TotpSecurityController(Controller):
    """What administrators do with the authenticators of others.

    Under `security`, so that a role which grants all of `totp` grants nothing over others.
    """

    name: ClassVar[str] = "security"

    def __init__(self, enrolments: Enrolments) -> None:
        self._enrolments = enrolments

    @action(delete("/users/:_id/_totp"), extension=True)
    async def disable_totp(self, request: Request, id: Id) -> Fields:  # noqa: ARG002
        """Switch a user's second factor off, and forget the remembered devices: the user has lost the authenticator."""
        await self._enrolments.remove(id)
        return {"acknowledged": True}


def _somebody(request: Request, name: str) -> User:
    if request.user.anonymous:
        raise errors.LoginRequired(controller="totp", action=name)
    return request.user
