"""Enrolments: which users have an authenticator, and which codes are used up.

A code is checked and used up in one storage update, so that of several requests with the same code one succeeds.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from visado import (
    Collection,
    DocumentExists,
    DocumentMissing,
    Event,
    Fields,
    Host,
    Sealer,
    ServerSection,
    Settings,
    errors,
    read_secret,
)
from visado_totp.authenticator import TotpKey
from visado_totp.devices import Devices
from visado_totp.errors import (
    AlreadyEnrolled,
    InvalidEnrolment,
    NotEnrolled,
    TooManyWrongCodes,
    UnreadableSecret,
    WrongCode,
)
from visado_totp.events import CodeRefused, DevicesChanged, EnrolmentChanged, RecoveryCodesChanged, RecoveryCodeUsed
from visado_totp.recovery_codes import generate_codes, hash_codes, normalize_code, remove_code
from visado_totp.settings import TotpSection

Enrolment: TypeAlias = Mapping[str, Any]
"""An enrolment, as the storage holds it under the id of its user.

    {secret: sealed, digits, period (s), since (ms), step: the last one that was used,
     recovery: [hash], wrong: [ms of each wrong code], generation: changes when the devices are forgotten}
"""

COLLECTION: Final = "totp"
KEY_PURPOSE: Final = "secret"
OFFER_PURPOSE: Final = "enrolment"
MAX_CODE_LENGTH: Final = 64
"""Characters of a code, spaces and dashes included."""
_CODE: Final = re.compile(r"[0-9]{6,8}")
_log = logging.getLogger("visado.totp")


class Enrolments:
    """Creates, checks and removes enrolments, and notes an event for each change.

    An offer to enrol is not stored: it is sealed, and the client sends it back with the first code.
    """

    def __init__(self, settings: Settings, host: Host) -> None:
        self._section = section = settings[TotpSection]
        self._storage, self._users, self._events, self._clock = host.storage, host.users, host.events, host.clock
        given, file = section.secret, settings[ServerSection].data / "totp-secret"
        self._sealer = Sealer(lambda: read_secret(file) if given is None else given.get_secret_value(), "visado-totp")
        self.devices = Devices(host, section.remember_devices)
        host.storage.declare(Collection(COLLECTION))

    def open(self) -> None:
        """Read the secret that seals. Raises `OSError` or `ValueError` if it cannot be read.

        Not done in the hook: where the hook of a plugin raises, logins continue without its check.
        """
        self._sealer.prepare()

    async def get(self, user_id: str) -> Enrolment | None:
        """Return the enrolment of a user, or None."""
        return await self._storage.get(COLLECTION, user_id)

    async def find(self, user_id: str) -> Enrolment:
        """Return the enrolment of a user. Raises `NotEnrolled`."""
        enrolment = await self.get(user_id)
        if enrolment is None:
            raise NotEnrolled
        return enrolment

    def offer(self, user_id: str) -> tuple[TotpKey, str]:
        """Generate a key for a user; return it with the sealed offer that `enrol` takes."""
        key = TotpKey.generate(self._section.digits, self._section.period)
        content = {"secret": key.secret, "digits": key.digits, "period": key.period}
        ends_at = self._clock() + self._section.challenge_lifetime
        return key, self._sealer.seal({**content, "endsAt": ends_at}, _context(OFFER_PURPOSE, user_id))

    def open_offer(self, user_id: str, offer: str) -> TotpKey:
        """Return the key of an offer. Raises `InvalidEnrolment` if it has expired, or was not made for this user."""
        content = self._sealer.open(offer, _context(OFFER_PURPOSE, user_id))
        if content is None or self._clock() >= content.pop("endsAt"):
            raise InvalidEnrolment
        return TotpKey(**content)

    async def enrol(self, user_id: str, offer: str, code: object) -> list[str]:
        """Enrol a user with an offer and the first code; return the recovery codes.

        Raises `InvalidEnrolment`, `WrongCode` or `AlreadyEnrolled`.
        """
        key, now = self.open_offer(user_id, offer), self._clock()
        steps = key.matching_steps(_read_code(code), now, self._section.window)
        if not steps:
            raise WrongCode
        codes = generate_codes(self._section.recovery_codes)
        enrolment: Fields = {
            "secret": self._sealer.seal({"secret": key.secret}, _context(KEY_PURPOSE, user_id)),
            "digits": key.digits,
            "period": key.period,
            "since": now,
            "step": steps[0],
            "recovery": hash_codes(codes),
            "wrong": [],
            "generation": secrets.token_hex(8),
        }
        async with self._storage.transaction():
            try:
                await self._storage.create(COLLECTION, user_id, enrolment)
            except DocumentExists:
                raise AlreadyEnrolled from None
            if await self._users.get(user_id) is None:  # deleted since the offer: the enrolment would outlive its user
                raise errors.UserNotFound(user=user_id)
            self._events.note(EnrolmentChanged(change="created", target=user_id))
        return codes

    async def use_code(self, user_id: str, code: object) -> None:
        """Use up a code or a recovery code; of several calls with the same code one succeeds.

        Raises `WrongCode`, `TooManyWrongCodes`, `NotEnrolled` or `UnreadableSecret`.
        """
        text, now = _read_code(code), self._clock()
        noted: list[Event] = []

        def change(enrolment: Enrolment) -> Enrolment:
            changed, noted[:] = self._use(user_id, enrolment, text, now)
            return changed

        await self._update(user_id, change)
        for event in noted:
            self._events.note(event)
            if isinstance(event, CodeRefused):
                raise WrongCode

    def _use(self, user_id: str, enrolment: Enrolment, code: str, now: int) -> tuple[Enrolment, list[Event]]:
        """Check a code; return the changed enrolment, and the events to note."""
        self.limit_wrong_codes(enrolment)
        refused: list[Event] = [CodeRefused(target=user_id)]
        if len(code) == enrolment["digits"] and _CODE.fullmatch(code):
            steps = self._key(user_id, enrolment).matching_steps(code, now, self._section.window)
            unused = [step for step in steps if step > enrolment["step"]]
            if unused:
                return {**enrolment, "step": unused[0]}, []
            if steps:  # a used code is not counted: it reveals nothing to a guesser, and users send a form twice
                return enrolment, refused
        elif (left := remove_code(enrolment["recovery"], code)) is not None:
            return {**enrolment, "recovery": left}, [RecoveryCodeUsed(target=user_id, left=len(left))]
        return {**enrolment, "wrong": [*self._recent_wrong(enrolment), now]}, refused

    def limit_wrong_codes(self, enrolment: Enrolment) -> None:
        """Raise `TooManyWrongCodes` when the user's limit of wrong codes is reached."""
        wrong = self._recent_wrong(enrolment)
        if len(wrong) >= self._section.wrong_codes:
            free_at = wrong[-self._section.wrong_codes] + self._section.wrong_codes_window
            raise TooManyWrongCodes(seconds=-(-(free_at - self._clock()) // 1_000))

    def _recent_wrong(self, enrolment: Enrolment) -> list[int]:
        since = self._clock() - self._section.wrong_codes_window
        return [each for each in enrolment["wrong"] if each > since]

    def _key(self, user_id: str, enrolment: Enrolment) -> TotpKey:
        content = self._sealer.open(enrolment["secret"], _context(KEY_PURPOSE, user_id))
        if content is None:
            _log.error("the secret of user %r was sealed with another key: restore that key", user_id)
            raise UnreadableSecret
        return TotpKey(content["secret"], enrolment["digits"], enrolment["period"])

    async def renew_recovery_codes(self, user_id: str) -> list[str]:
        """Replace the recovery codes of a user, and return the new ones. Raises `NotEnrolled`."""
        codes = generate_codes(self._section.recovery_codes)
        hashes = hash_codes(codes)
        await self._update(user_id, lambda enrolment: {**enrolment, "recovery": hashes})
        self._events.note(RecoveryCodesChanged(change="updated", target=user_id))
        return codes

    async def remember_device(self, user_id: str) -> str:
        """Remember a device of a user, and return its token. Raises `NotEnrolled`."""
        token = await self.devices.remember(user_id, (await self.find(user_id))["generation"])
        self._events.note(DevicesChanged(change="created", target=user_id))
        return token

    async def forget_devices(self, user_id: str) -> None:
        """Forget every remembered device of a user. Raises `NotEnrolled`."""
        generation = secrets.token_hex(8)
        async with self._storage.transaction():
            await self._update(user_id, lambda enrolment: {**enrolment, "generation": generation})
            await self.devices.forget(user_id)
            self._events.note(DevicesChanged(change="deleted", target=user_id))

    async def disable(self, user_id: str) -> None:
        """Delete the enrolment and the devices of a user, and note the event. Raises `NotEnrolled`."""
        async with self._storage.transaction():
            if not await self.forget(user_id):
                raise NotEnrolled
            self._events.note(EnrolmentChanged(change="deleted", target=user_id))

    async def forget(self, user_id: str) -> bool:
        """Delete the enrolment and the devices of a user; return whether the user had enrolled."""
        await self.devices.forget(user_id)
        return await self._storage.delete(COLLECTION, user_id)

    async def _update(self, user_id: str, change: Callable[[Enrolment], Enrolment]) -> None:
        try:
            await self._storage.update(COLLECTION, user_id, change)
        except DocumentMissing:
            raise NotEnrolled from None


def _context(purpose: str, user_id: str) -> str:
    """Bind a sealed text to its purpose and its user. JSON, so that no two pairs have the same context."""
    return json.dumps([purpose, user_id])


def _read_code(code: object) -> str:
    """Normalize a code that a client sent. Return "", which is always wrong, for a value that cannot be a code."""
    if not isinstance(code, str) or len(code) > MAX_CODE_LENGTH or not code.isascii():
        return ""
    return normalize_code(code)
