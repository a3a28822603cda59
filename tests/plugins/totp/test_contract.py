"""The contract of login checks."""

from __future__ import annotations

from visado_kit.harness import with_harness
from visado_kit.login_check import LoginCheckContract

from .phone import Phone


class TestTotp(LoginCheckContract):
    def make(self, host):
        check = next(check for check in host.security.login_checks if check.name == "totp")
        self.enrolments, self.phones = check.enrolments, {}
        return check

    async def enroll(self, harness, user_id):
        key, offer = self.enrolments.offer(user_id)
        phone = Phone(key.uri("visado", user_id), lambda: harness.clock.now / 1000)
        await self.enrolments.enrol(user_id, offer, phone.at(phone.step))
        self.phones[user_id] = phone

    async def answer(self, harness, user_id, challenge):
        harness.clock.advance(30)
        phone = self.phones[user_id]
        return {"code": phone.at(phone.step)}

    def secrets(self):
        return [phone.secret for phone in self.phones.values()]

    @with_harness
    async def test_no_answer_prolongs_a_login(self, harness):
        user_id = await self.create_enrolled(harness)
        first = challenge = await harness.challenge(user_id)
        for answer in ({}, {"code": "wrong"}, {}):
            harness.clock.advance(90)
            challenge = (await harness.reply(challenge["reference"], answer)).error.challenge
            assert challenge["expiresAt"] == first["expiresAt"]
        assert challenge["data"]["attempts"] == 2


class TestRecoveryCodes(TestTotp):
    """The same contract, with recovery codes."""

    def settings(self):
        return {"totp": {"recovery_codes": 20}}

    async def enroll(self, harness, user_id):
        key, offer = self.enrolments.offer(user_id)
        phone = Phone(key.uri("visado", user_id), lambda: harness.clock.now / 1000)
        self.codes = {
            **getattr(self, "codes", {}),
            user_id: await self.enrolments.enrol(user_id, offer, phone.at(phone.step)),
        }

    async def answer(self, harness, user_id, challenge):
        return {"code": self.codes[user_id].pop()}

    def secrets(self):
        return []
