"""Codes and time: drift, RFC 6238, what wrong codes cost, and keys that are lost or changed."""

from __future__ import annotations

import asyncio
import base64
import functools
from dataclasses import dataclass, field, replace

import pytest

from visado import Sealer, errors
from visado_kit.clock import Clock
from visado_kit.stage import open_host
from visado_totp import recovery
from visado_totp.authenticator import Key, in_characters, picture
from visado_totp.enrolments import COLLECTION, Enrolments
from visado_totp.errors import InvalidEnrolment, NotEnrolled, TooManyWrongCodes, UnreadableSecret, WrongCode
from visado_totp.settings import TotpSection

from .phone import Phone

RFC = Key(base64.b32encode(b"12345678901234567890").decode(), digits=8)
VECTORS = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}


@pytest.mark.parametrize(("seconds", "code"), VECTORS.items())
def test_the_vectors_of_the_rfc(seconds, code):
    assert RFC.steps(code, seconds * 1_000, 0) == [seconds // 30]
    assert RFC.steps(code, (seconds + 30) * 1_000, 0) == []
    assert RFC.steps(code, (seconds + 30) * 1_000, 1) == [seconds // 30]
    assert RFC.steps(code[:-1], seconds * 1_000, 1) == []


def test_the_address_says_it_all():
    phone = Phone(Key.make(8, 60).uri("Größe & Co", "ann/ü@example.com"))
    assert (phone.issuer, phone.label) == ("Größe & Co", "/Größe & Co:ann/ü@example.com")
    assert (phone.digits, phone.period) == (8, 60)
    assert len(phone.secret) == 32


def test_the_longest_names_fit_into_a_picture():
    uri = Key.make(8, 60).uri("\U0001f511" * 32, "\U0001f511" * 1_000)
    assert picture(uri).startswith("data:image/png;base64,")
    assert len(in_characters(uri).splitlines()) > 20


@dataclass
class Stage:
    host: object
    clock: Clock
    seen: list = field(default_factory=list)
    enrolments: Enrolments = None

    def __post_init__(self):
        self.enrolments = self.made()

    def made(self, secret="x" * 64, **section):
        host = self.host
        settings = TotpSection.model_validate({"window": 1, **section})
        return Enrolments(settings, host.storage, host.users, self, Sealer(lambda: secret, "visado-totp"), self.clock)

    def note(self, event):
        self.host.storage.after_commit(lambda: self.seen.append(event))

    def named(self):
        return [event.kind for event in self.seen]

    async def enrolled(self, user_id="ann"):
        await self.host.users.create({"profileIds": ["default"]}, user_id)
        key, offer = self.enrolments.offer(user_id)
        phone = Phone(key.uri("visado", user_id), lambda: self.clock.now / 1_000)
        codes = await self.enrolments.enrol(user_id, offer, phone.at(phone.step))
        self.clock.advance(120)
        return phone, codes

    async def refused(self, error, code, user_id="ann", enrolments=None):
        with pytest.raises(error) as caught:
            await (enrolments or self.enrolments).spend(user_id, code)
        return caught.value


def staged(scene):
    @functools.wraps(scene)
    def run(tmp_path):
        async def play():
            clock = Clock()
            async with open_host(tmp_path, {}, clock) as host:
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
        await stage.enrolments.spend("ann", phone.at(step))


@staged
async def test_no_code_from_before_the_last_one_works(stage):
    phone, _ = await stage.enrolled()
    now = phone.step
    await stage.enrolments.spend("ann", phone.at(now + 1))
    for step in (now - 1, now, now + 1):
        await stage.refused(WrongCode, phone.at(step))
    stage.clock.advance(60)
    await stage.enrolments.spend("ann", phone.at(phone.step))


@staged
async def test_wrong_codes_count_for_an_hour(stage):
    phone, codes = await stage.enrolled()
    for _ in range(9):
        await stage.refused(WrongCode, phone.wrong())
        stage.clock.advance(60)
    await stage.enrolments.spend("ann", phone.at(phone.step))
    await stage.refused(WrongCode, "not-a-recovery-code")
    for code in (phone.at(phone.step + 1), codes[0], phone.wrong()):
        error = await stage.refused(TooManyWrongCodes, code)
        assert error.values == {"seconds": 3_600 - 9 * 60}
    stage.clock.advance(3_600 - 9 * 60)
    await stage.enrolments.spend("ann", phone.at(phone.step))
    await stage.refused(WrongCode, phone.wrong())
    await stage.refused(TooManyWrongCodes, phone.wrong())


@staged
async def test_a_used_code_sent_again_is_no_guess(stage):
    phone, _ = await stage.enrolled()
    code = phone.at(phone.step)
    await stage.enrolments.spend("ann", code)
    for _ in range(20):
        await stage.refused(WrongCode, code)
    stage.clock.advance(30)
    await stage.enrolments.spend("ann", phone.at(phone.step))


@staged
async def test_offers_come_to_an_end(stage):
    await stage.host.users.create({"profileIds": ["default"]}, "ann")
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
    await changed.spend("ann", phone.at(phone.step))
    key, _ = changed.offer("bob")
    assert (key.digits, key.period) == (8, 60)


@staged
async def test_without_the_key_recovery_codes_still_work(stage):
    phone, codes = await stage.enrolled()
    bereft = stage.made("y" * 64)
    await stage.refused(UnreadableSecret, phone.at(phone.step), enrolments=bereft)
    await bereft.spend("ann", codes[0])
    await stage.enrolments.spend("ann", phone.at(phone.step))


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
        return await made.devices.knows("ann", {**row, **changes}["generation"], token)

    assert await known()
    assert not await known(generation="another")
    assert not await known(stage.made()), "the setting was taken back"
    stage.clock.advance(3_599)
    assert await known()
    stage.clock.advance(1)
    assert not await known()
    await enrolments.remember_device("ann")
    assert len(await rows(stage, "totp-devices")) == 1, "those that ended are forgotten"
    await enrolments.remove("ann")
    assert await rows(stage, "totp-devices") == []


async def rows(stage, collection):
    from visado import Query

    return (await stage.host.storage.search(collection, Query())).hits


@staged
async def test_observers_are_told_and_learn_no_secret(stage):
    phone, codes = await stage.enrolled()
    enrolments = stage.made(remember_devices="1h")
    await stage.refused(WrongCode, phone.wrong())
    await enrolments.spend("ann", codes[0])
    fresh = await enrolments.renew_recovery_codes("ann")
    token = await enrolments.remember_device("ann")
    await enrolments.forget_devices("ann")
    await enrolments.remove("ann")
    for forgotten in (enrolments.remove("ann"), enrolments.forget_devices("ann"), enrolments.remember_device("ann")):
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


def test_recovery_codes_are_of_eighty_bits_and_kept_as_hashes():
    codes = recovery.make(20)
    kept = recovery.hashed(codes)
    assert len({*codes}) == 20
    assert all(len(base64.b32decode(code.replace("-", "").upper())) == 10 for code in codes)
    assert not [code for code in codes if code in "".join(kept) or recovery.plain(code) in "".join(kept)]
    left = recovery.without(kept, recovery.plain(codes[3]))
    assert left == kept[:3] + kept[4:]
    assert recovery.without(left, recovery.plain(codes[3])) is None
    assert recovery.without(kept, "") is None


def test_nothing_shows_a_secret():
    key = Key.make(6, 30)
    assert key.secret not in repr(key)
    assert repr(replace(key, digits=8)) == "Key(digits=8, period=30)"
    with pytest.raises(ValueError, match="32 bytes") as caught:
        TotpSection.model_validate({"secret": "too short"})
    assert "too short" not in str(caught.value)
