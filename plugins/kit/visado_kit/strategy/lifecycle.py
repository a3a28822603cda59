"""Credentials from their creation to their end."""

from __future__ import annotations

import asyncio
import json

import pytest

from visado.strategy import Fail
from visado_kit.stage import HOSTILE, NOBODY, Stage, refused, staged, survived, told
from visado_kit.strategy.suite import StrategySuite


class Lifecycle(StrategySuite):
    """One owner per subject, one subject per user, and what is deleted is gone."""

    @staged
    async def test_created_credentials_exist_until_deleted(self, stage: Stage) -> None:
        """They log in, and are shown, exactly as long as they are there."""
        user_id, credentials = await stage.user(), self.credentials(0)
        strategy = stage.strategy
        await self._exists(stage, user_id, False, "before create()")
        await strategy.validate(user_id, credentials, update=False)
        await self._exists(stage, user_id, False, "after validate(), which keeps nothing")
        shown = await strategy.create(user_id, credentials)
        await self._exists(stage, user_id, True, "after create()")
        self.shows(credentials, shown, await strategy.info(user_id))
        await strategy.delete(user_id)
        await self._exists(stage, user_id, False, "after delete()")
        outcome = await stage.login(self.login(credentials))
        assert isinstance(outcome, Fail), f"delete() takes the credentials away: they still lead to {outcome!r}"
        await strategy.create(user_id, credentials)
        await self.gets_in(stage, credentials, user_id, "what was deleted may be created again")
        await strategy.delete(user_id)
        other = await stage.user(1)
        await strategy.create(other, credentials)
        await self.gets_in(stage, credentials, other, "a deleted subject is free for another user")

    async def _exists(self, stage: Stage, user_id: str, expected: bool, when: str) -> None:
        found = await stage.strategy.exists(user_id)
        assert found is expected, f"exists() returns True or False, here {expected} {when}, not {told(found)}"

    @staged
    async def test_is_found_by_its_subject(self, stage: Stage) -> None:
        """`by_id` shows the credentials of a subject, and refuses others."""
        _, credentials = await self.enroll(stage)
        subject = self.subject(credentials)
        if subject is None:
            pytest.skip("this strategy does not look up by subject")
        found = await stage.strategy.by_id(subject)
        self.shows(credentials, found)
        assert found, "by_id() returns what may be shown of the credentials"
        await refused(stage.strategy.by_id(f"{subject}-of-nobody"), "raise errors.NoCredentials for an unknown subject")

    @staged
    async def test_a_user_has_credentials_once(self, stage: Stage) -> None:
        """A second creation is refused, and the first stays."""
        user_id, credentials = await self.enroll(stage)
        mend = "a user has one set of credentials: raise errors.UserLinked from a second create()"
        await refused(stage.strategy.create(user_id, self.credentials(1)), mend)
        await self.gets_in(stage, credentials, user_id, "a refused create() leaves the first as it was")

    @staged
    async def test_a_subject_has_one_owner(self, stage: Stage) -> None:
        """Nobody takes another's subject."""
        user_id, credentials = await self.enroll(stage)
        other, strategy = await stage.user(1), stage.strategy
        mend = "a subject has one owner: raise errors.SubjectTaken"
        await refused(strategy.validate(other, credentials, update=False), f"{mend} from validate()")
        await refused(strategy.create(other, credentials), f"{mend} from create()")
        await self._exists(stage, other, False, "after a create() that was refused")
        await self.gets_in(stage, credentials, user_id, "the first owner of a subject keeps it")

    @staged
    async def test_one_of_many_creations_wins(self, stage: Stage) -> None:
        """Of many who want a subject at the same time, one gets it."""
        owners = [await stage.user(number) for number in range(self.users)]
        creations = [stage.strategy.create(user_id, self.credentials(0)) for user_id in owners]
        results = await asyncio.gather(*creations, return_exceptions=True)
        won = sum(not isinstance(result, BaseException) for result in results)
        have = sum([await stage.strategy.exists(user_id) for user_id in owners])
        assert (won, have) == (1, 1), (
            f"of {len(owners)} who took a subject at once {won} were told that they got it, and {have} have it: "
            "take it in one step (credentials.link, storage.create), not by looking first"
        )

    @staged
    async def test_an_update_takes_the_place(self, stage: Stage) -> None:
        """The new credentials log in, the old ones do not."""
        user_id, credentials = await self.enroll(stage)
        changed = self.changed(credentials)
        if changed is None:
            pytest.skip("these credentials do not change")
        await stage.strategy.validate(user_id, changed, update=True)
        self.shows(changed, await stage.strategy.update(user_id, changed))
        await self.gets_in(stage, changed, user_id, "update() keeps what it was given")
        outcome = await stage.login(self.login(credentials))
        assert isinstance(outcome, Fail), f"update() takes the old credentials away: they still lead to {outcome!r}"

    @staged
    async def test_what_is_not_there_is_refused(self, stage: Stage) -> None:
        """Nothing is shown, changed or deleted of who has no credentials."""
        strategy = stage.strategy
        for user_id in (await stage.user(), NOBODY):
            await self._exists(stage, user_id, False, "for who has no credentials")
            mend = "of a user without credentials: raise errors.NoCredentials"
            await refused(strategy.info(user_id), f"info() {mend}")
            await refused(strategy.delete(user_id), f"delete() {mend}")
            changed = self.changed(self.credentials(0))
            if changed is not None:
                await refused(strategy.update(user_id, changed), f"update() {mend}")

    @staged
    async def test_hostile_credentials_are_taken_or_refused(self, stage: Stage) -> None:
        """Whatever JSON is sent as credentials: a 4xx, or credentials that can be shown and deleted."""
        user_id, credentials = await stage.user(), self.credentials(0)
        bodies = [{**credentials, field: value} for field in credentials for value in HOSTILE]
        bodies += [*(dict.fromkeys(credentials, value) for value in HOSTILE), {}, {"kuid": NOBODY}]
        strategy = stage.strategy
        for body in bodies:
            await survived(strategy.validate(user_id, body, update=False), body)
            await survived(strategy.validate(user_id, body, update=True), body)
            await survived(strategy.create(user_id, body), body)
            if await strategy.exists(user_id):
                json.dumps(await strategy.info(user_id))
                await survived(strategy.update(user_id, body), body)
                await strategy.delete(user_id)
