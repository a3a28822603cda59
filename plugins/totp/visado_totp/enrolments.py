"""Who has enrolled an authenticator, and which codes were used up. Whatever must happen once is one storage update."""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from visado import Collection, DocumentExists, DocumentMissing, Event, Events, Fields, Sealer, Storage, Users, errors
from visado_totp import recovery
from visado_totp.authenticator import Key
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
from visado_totp.settings import TotpSection

Row: TypeAlias = Mapping[str, Any]
"""An enrolment, under the id of its user.

    {secret: sealed, digits, period, since: ms, step: the last that was used,
     recovery: [hash], wrong: [ms], generation: changes when devices are forgotten}
"""

COLLECTION: Final = "totp"
_SECRET, _OFFER = "secret", "enrolment"
_CODE: Final = re.compile(r"[0-9]{6,8}")
_LONGEST_CODE: Final = 64
_log = logging.getLogger("visado.totp")


def now() -> int:
    """The time in ms since 1970."""
    return time.time_ns() // 1_000_000


class Enrolments:
    """The enrolments. An offer of one is sealed, and held by whoever it was made to."""

    def __init__(
        self,
        section: TotpSection,
        storage: Storage,
        users: Users,
        events: Events,
        sealer: Sealer,
        clock: Callable[[], int] = now,
    ) -> None:
        self._section, self._storage, self._users = section, storage, users
        self._events, self._sealer, self.clock = events, sealer, clock
        self.devices = Devices(storage, section.remember_devices, clock)
        storage.declare(Collection(COLLECTION))

    def prepare(self) -> None:
        """Raise unless secrets can be sealed. Only now: where a hook raises, logins go on without its check."""
        self._sealer.prepare()

    async def get(self, user_id: str) -> Row | None:
        """The enrolment of a user, or None."""
        return await self._storage.get(COLLECTION, user_id)

    async def find(self, user_id: str) -> Row:
        """The enrolment of a user. Raises `NotEnrolled`."""
        row = await self.get(user_id)
        if row is None:
            raise NotEnrolled
        return row

    def offer(self, user_id: str) -> tuple[Key, str]:
        """Make up a key for a user, and seal it for `enrol`."""
        key = Key.make(self._section.digits, self._section.period)
        content = {"secret": key.secret, "digits": key.digits, "period": key.period}
        ends_at = self.clock() + self._section.challenge_lifetime
        return key, self._sealer.seal({**content, "endsAt": ends_at}, _context(_OFFER, user_id))

    def offered(self, user_id: str, offer: str) -> Key:
        """Read the key of an offer. Raises `InvalidEnrolment`."""
        found = self._sealer.open(offer, _context(_OFFER, user_id))
        if found is None or self.clock() >= found.pop("endsAt"):
            raise InvalidEnrolment
        return Key(**found)

    async def enrol(self, user_id: str, offer: str, code: object) -> list[str]:
        """Take an offer up with its first code, and return the recovery codes.

        Raises `InvalidEnrolment`, `WrongCode`, `AlreadyEnrolled`.
        """
        key, present = self.offered(user_id, offer), self.clock()
        steps = key.steps(_read(code), present, self._section.window)
        if not steps:
            raise WrongCode
        codes = recovery.make(self._section.recovery_codes)
        row: Fields = {
            "secret": self._sealer.seal({"secret": key.secret}, _context(_SECRET, user_id)),
            "digits": key.digits,
            "period": key.period,
            "since": present,
            "step": steps[0],
            "recovery": recovery.hashed(codes),
            "wrong": [],
            "generation": secrets.token_hex(8),
        }
        async with self._storage.transaction():
            try:
                await self._storage.create(COLLECTION, user_id, row)
            except DocumentExists:
                raise AlreadyEnrolled from None
            if await self._users.get(user_id) is None:  # deleted meanwhile, and what is kept would outlive it
                raise errors.UserNotFound(user=user_id)
            self._events.note(EnrolmentChanged(change="created", target=user_id))
        return codes

    async def spend(self, user_id: str, code: object) -> None:
        """Use up a code, or a recovery code: of any number who have the same one, one succeeds.

        Raises `WrongCode`, `TooManyWrongCodes`, `NotEnrolled`, `UnreadableSecret`.
        """
        text, present = _read(code), self.clock()
        happened: list[Event] = []

        def change(row: Row) -> Row:
            changed, happened[:] = self._spent(user_id, row, text, present)
            return changed

        await self._update(user_id, change)
        for event in happened:
            self._events.note(event)
            if isinstance(event, CodeRefused):
                raise WrongCode

    def _spent(self, user_id: str, row: Row, code: str, present: int) -> tuple[Row, list[Event]]:
        """Decide on a code: the enrolment as it is from now on, and what happened beside a right code."""
        self.refuse_guessing(row)
        refused: list[Event] = [CodeRefused(target=user_id)]
        if len(code) == row["digits"] and _CODE.fullmatch(code):
            steps = self._key(user_id, row).steps(code, present, self._section.window)
            fresh = [step for step in steps if step > row["step"]]
            if fresh:
                return {**row, "step": fresh[0]}, []
            if steps:  # a guess that hits a used code tells nothing, and who clicks twice is no guesser
                return row, refused
        elif (left := recovery.without(row["recovery"], code)) is not None:
            return {**row, "recovery": left}, [RecoveryCodeUsed(target=user_id, left=len(left))]
        return {**row, "wrong": [*self._counted(row), present]}, refused

    def refuse_guessing(self, row: Row) -> None:
        """Raise `TooManyWrongCodes` where there were so many that none is looked at."""
        counted = self._counted(row)
        if len(counted) >= self._section.wrong_codes:
            free_at = counted[-self._section.wrong_codes] + self._section.wrong_codes_window
            raise TooManyWrongCodes(seconds=-(-(free_at - self.clock()) // 1_000))

    def _counted(self, row: Row) -> list[int]:
        since = self.clock() - self._section.wrong_codes_window
        return [each for each in row["wrong"] if each > since]

    def _key(self, user_id: str, row: Row) -> Key:
        found = self._sealer.open(row["secret"], _context(_SECRET, user_id))
        if found is None:
            _log.error("the secret of %r was sealed with another key: put that one back", user_id)
            raise UnreadableSecret
        return Key(found["secret"], row["digits"], row["period"])

    async def renew_recovery_codes(self, user_id: str) -> list[str]:
        """Put new recovery codes in the place of all, and return them. Raises `NotEnrolled`."""
        codes = recovery.make(self._section.recovery_codes)
        kept = recovery.hashed(codes)
        await self._update(user_id, lambda row: {**row, "recovery": kept})
        self._events.note(RecoveryCodesChanged(change="updated", target=user_id))
        return codes

    async def remember_device(self, user_id: str) -> str:
        """Remember a device of a user, and return its token. Raises `NotEnrolled`."""
        token = await self.devices.remember(user_id, (await self.find(user_id))["generation"])
        self._events.note(DevicesChanged(change="created", target=user_id))
        return token

    async def forget_devices(self, user_id: str) -> None:
        """Ask every device of a user again. Raises `NotEnrolled`."""
        generation = secrets.token_hex(8)
        async with self._storage.transaction():
            await self._update(user_id, lambda row: {**row, "generation": generation})
            await self.devices.forget(user_id)
            self._events.note(DevicesChanged(change="deleted", target=user_id))

    async def remove(self, user_id: str) -> None:
        """Switch it off for a user. Raises `NotEnrolled`."""
        async with self._storage.transaction():
            if not await self.forget(user_id):
                raise NotEnrolled
            self._events.note(EnrolmentChanged(change="deleted", target=user_id))

    async def forget(self, user_id: str) -> bool:
        """Forget what is kept of a user; whether the user had enrolled."""
        await self.devices.forget(user_id)
        return await self._storage.delete(COLLECTION, user_id)

    async def _update(self, user_id: str, change: Callable[[Row], Row]) -> None:
        try:
            await self._storage.update(COLLECTION, user_id, change)
        except DocumentMissing:
            raise NotEnrolled from None


def _context(purpose: str, user_id: str) -> str:
    """Bind a sealed text to its purpose and its user: JSON, so that no two pairs share a context."""
    return json.dumps([purpose, user_id])


def _read(code: object) -> str:
    """Read a code as it was sent; what can be none reads as an empty text, which is always wrong."""
    if not isinstance(code, str) or len(code) > _LONGEST_CODE or not code.isascii():
        return ""
    return recovery.plain(code)
