"""Enrolments: clocks that differ, limits of wrong codes, and keys that are lost or changed."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass, field, replace

import pytest

from visado import ServerSection, Settings, errors
from visado_kit.clock import Clock
from visado_kit.in_process import build_host
from visado_totp.enrolments import COLLECTION, Enrolments
from visado_totp.errors import InvalidEnrolment, NotEnrolled, TooManyWrongCodes, UnreadableSecret, WrongCode
from visado_totp.settings import TotpSection

from .phone import Phone


@dataclass
class Stage:
    host: object
    clock: Clock
    seen: list = field(default_factory=list)
    enrolments: Enrolments = None

    def __post_init__(self):
        self.enrolments = self.made()

    def made(self, secret="x" * 64, **section):
        settings = Settings([TotpSection.model_validate({"secret": secret, **section}), ServerSection()])
        return Enrolments(settings, replace(self.host.security.host, events=self))

    def note(self, event):
        self.host.storage.after_commit(lambda: self.seen.append(event))

    def named(self):
        return [event.kind for event in self.seen]

    async def enrolled(self, user_id="ann"):
        await self.host.security.users.create({"profileIds": ["default"]}, user_id)
        key, offer = self.enrolments.offer(user_id)
        phone = Phone(key.uri("visado", user_id), lambda: self.clock.now / 1_000)
        codes = await self.enrolments.enrol(user_id, offer, phone.at(phone.step))
        self.clock.advance(120)
        return phone, codes

    async def refused(self, error, code, user_id="ann", enrolments=None):
        with pytest.raises(error) as caught:
            await (enrolments or self.enrolments).use_code(user_id, code)
        return caught.value


def staged(scene):
    @functools.wraps(scene)
    def run(tmp_path):
        async def play():
            clock = Clock()
            async with build_host(tmp_path, {}, clock) as host:
                stage = Stage(host, clock)
                await host.open()
                await scene(stage)

        asyncio.run(play())

    del run.__wrapped__
    return run


@staged
async def test_clocks_may_differ_by_a_period(stage):
    phone, _ = await stage.enrolled()
    now = phone.step
    for step in (now - 2, now + 2):
        await stage.refused(WrongCode, phone.at(step))
    for step in (now - 1, now, now + 1):
        await stage.enrolments.use_code("ann", phone.at(step))


@staged
async def test_no_code_from_before_the_last_one_works(stage):
    phone, _ = await stage.enrolled()
    now = phone.step
    await stage.enrolments.use_code("ann", phone.at(now + 1))
    for step in (now - 1, now, now + 1):
        await stage.refused(WrongCode, phone.at(step))
    stage.clock.advance(60)
    await stage.enrolments.use_code("ann", phone.at(phone.step))


@staged
async def test_wrong_codes_count_for_an_hour(stage):
    phone, codes = await stage.enrolled()
    for _ in range(9):
        await stage.refused(WrongCode, phone.wrong())
        stage.clock.advance(60)
    await stage.enrolments.use_code("ann", phone.at(phone.step))
    await stage.refused(WrongCode, "not-a-recovery-code")
    for code in (phone.at(phone.step + 1), codes[0], phone.wrong()):
        error = await stage.refused(TooManyWrongCodes, code)
        assert error.values == {"seconds": 3_600 - 9 * 60}
    stage.clock.advance(3_600 - 9 * 60)
    await stage.enrolments.use_code("ann", phone.at(phone.step))
    await stage.refused(WrongCode, phone.wrong())
    await stage.refused(TooManyWrongCodes, phone.wrong())


@staged
async def test_a_used_code_sent_again_is_no_guess(stage):
    phone, _ = await stage.enrolled()
    code = phone.at(phone.step)
    await stage.enrolments.use_code("ann", code)
    for _ in range(20):
        await stage.refused(WrongCode, code)
    stage.clock.advance(30)
    await stage.enrolments.use_code("ann", phone.at(phone.step))


@staged
async def test_offers_come_to_an_end(stage):
    await stage.host.security.users.create({"profileIds": ["default"]}, "ann")
    key, offer = stage.enrolments.offer("ann")
    stage.clock.advance(300)
    code = Phone(key.uri("visado", "ann"), lambda: stage.clock.now / 1_000)
    for each in (offer, offer[:-1], "", "ä", "a" * 5_000, "="):
        with pytest.raises(InvalidEnrolment):
            await stage.enrolments.enrol("ann", each, code.at(code.step))


@staged
async def test_nothing_is_kept_of_a_user_who_is_deleted_meanwhile(stage):
    key, offer = stage.enrolments.offer("ann")
    phone = Phone(key.uri("visado", "ann"), lambda: stage.clock.now / 1_000)
    with pytest.raises(errors.UserNotFound):
        await stage.enrolments.enrol("ann", offer, phone.at(phone.step))
    assert await stage.enrolments.get("ann") is None
    assert stage.seen == []


@staged
async def test_other_settings_are_for_enrolments_to_come(stage):
    phone, _ = await stage.enrolled()
    changed = stage.made(digits=8, period=60)
    await changed.use_code("ann", phone.at(phone.step))
    key, _ = changed.offer("bob")
    assert (key.digits, key.period) == (8, 60)


@staged
async def test_without_the_key_recovery_codes_still_work(stage):
    phone, codes = await stage.enrolled()
    bereft = stage.made("y" * 64)
    await stage.refused(UnreadableSecret, phone.at(phone.step), enrolments=bereft)
    await bereft.use_code("ann", codes[0])
    await stage.enrolments.use_code("ann", phone.at(phone.step))


@staged
async def test_a_secret_moved_to_another_user_opens_nothing(stage):
    theirs, _ = await stage.enrolled("ann")
    await stage.enrolled("bob")
    row = await stage.enrolments.find("ann")
    await stage.host.storage.update(COLLECTION, "bob", lambda each: {**each, "secret": row["secret"]})
    await stage.refused(UnreadableSecret, theirs.at(theirs.step), "bob")


@staged
async def test_devices_are_remembered_for_a_while(stage):
    await stage.enrolled()
    enrolments = stage.made(remember_devices="1h")
    row, token = await enrolments.find("ann"), await enrolments.remember_device("ann")

    async def known(made=enrolments, **changes):
        return await made.devices.is_remembered("ann", {**row, **changes}["generation"], token)

    assert await known()
    assert not await known(generation="another")
    assert not await known(stage.made()), "the setting was taken back"
    stage.clock.advance(3_599)
    assert await known()
    stage.clock.advance(1)
    assert not await known()
    await enrolments.remember_device("ann")
    assert len(await rows(stage, "totp-devices")) == 1, "those that ended are forgotten"
    await enrolments.disable("ann")
    assert await rows(stage, "totp-devices") == []


async def rows(stage, collection):
    from visado import Query

    return (await stage.host.storage.search(collection, Query())).hits


@staged
async def test_observers_are_told_and_learn_no_secret(stage):
    phone, codes = await stage.enrolled()
    enrolments = stage.made(remember_devices="1h")
    await stage.refused(WrongCode, phone.wrong())
    await enrolments.use_code("ann", codes[0])
    fresh = await enrolments.renew_recovery_codes("ann")
    token = await enrolments.remember_device("ann")
    await enrolments.forget_devices("ann")
    await enrolments.disable("ann")
    for forgotten in (enrolments.disable("ann"), enrolments.forget_devices("ann"), enrolments.remember_device("ann")):
        with pytest.raises(NotEnrolled):
            await forgotten
    assert stage.named() == [
        "totp.enrolment.created",
        "totp.code.refused",
        "totp.recovery_code.used",
        "totp.recovery_codes.updated",
        "totp.devices.created",
        "totp.devices.deleted",
        "totp.enrolment.deleted",
    ]
    told = repr([event.as_dict() for event in stage.seen])
    assert all(event.target == "ann" for event in stage.seen)
    assert stage.seen[2].left == 9
    assert not [secret for secret in (phone.secret, token, *codes, *fresh) if secret in told]
