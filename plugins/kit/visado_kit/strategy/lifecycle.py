"""Credentials, from their creation to their deletion."""

from __future__ import annotations

import asyncio
import json

import pytest

from visado import Fail
from visado_kit.expectations import expect_no_server_error, expect_refusal, short_repr
from visado_kit.harness import with_harness
from visado_kit.hostile import HOSTILE_VALUES, UNKNOWN_USER_ID
from visado_kit.strategy.suite import BY, StrategyHarness, StrategySuite


class StrategyLifecycle(StrategySuite):
    """A subject has one owner, a user has one set of credentials, and deleted credentials do not log in."""

    @with_harness
    async def test_created_credentials_exist_until_deleted(self, harness: StrategyHarness) -> None:
        """Credentials log in, and are shown, from their creation to their deletion."""
        user_id, credentials = await harness.create_user(), self.credentials(0)
        strategy = harness.strategy
        await self._expect_exists(harness, user_id, False, "before create()")
        await strategy.validate(user_id, credentials, BY, update=False)
        await self._expect_exists(harness, user_id, False, "after validate(), which must store nothing")
        created = await strategy.create(user_id, credentials, BY)
        await self._expect_exists(harness, user_id, True, "after create()")
        self.expect_public(credentials, created, await strategy.info(user_id))
        await strategy.delete(user_id, BY)
        await self._expect_exists(harness, user_id, False, "after delete()")
        outcome = await harness.authenticate(self.login(credentials))
        assert isinstance(outcome, Fail), f"delete() must delete the credentials: they still lead to {outcome!r}"
        await strategy.create(user_id, credentials, BY)
        await self.expect_login(harness, credentials, user_id, "deleted credentials may be created again")
        await strategy.delete(user_id, BY)
        other = await harness.create_user(1)
        await strategy.create(other, credentials, BY)
        await self.expect_login(harness, credentials, other, "another user may take a deleted subject")

    async def _expect_exists(self, harness: StrategyHarness, user_id: str, expected: bool, when: str) -> None:
        exists = await harness.strategy.exists(user_id)
        assert exists is expected, f"exists() must return {expected} {when}, not {short_repr(exists)}"

    @with_harness
    async def test_is_found_by_its_subject(self, harness: StrategyHarness) -> None:
        """`by_id` shows the credentials of a subject, and refuses an unknown subject."""
        _, credentials = await self.enroll(harness)
        subject = self.subject(credentials)
        if subject is None:
            pytest.skip("subject() returns None: this strategy does not implement by_id()")
        public = await harness.strategy.by_id(subject)
        self.expect_public(credentials, public)
        assert public, "by_id() must return the public credentials of a subject"
        await expect_refusal(
            harness.strategy.by_id(f"{subject}-of-nobody"), "by_id(): raise errors.NoCredentials for an unknown subject"
        )

    @with_harness
    async def test_a_user_has_credentials_once(self, harness: StrategyHarness) -> None:
        """A second creation for a user is refused, and the first credentials stay."""
        user_id, credentials = await self.enroll(harness)
        advice = "a user has one set of credentials: raise errors.UserLinked from a second create()"
        await expect_refusal(harness.strategy.create(user_id, self.credentials(1), BY), advice)
        await self.expect_login(
            harness, credentials, user_id, "a create() that is refused must not change the first credentials"
        )

    @with_harness
    async def test_a_subject_has_one_owner(self, harness: StrategyHarness) -> None:
        """A user cannot take the subject of another user."""
        user_id, credentials = await self.enroll(harness)
        other, strategy = await harness.create_user(1), harness.strategy
        advice = "a subject has one owner: raise errors.SubjectTaken"
        await expect_refusal(strategy.validate(other, credentials, BY, update=False), f"{advice} from validate()")
        await expect_refusal(strategy.create(other, credentials, BY), f"{advice} from create()")
        await self._expect_exists(harness, other, False, "after a create() that was refused")
        await self.expect_login(harness, credentials, user_id, "the first owner of a subject must stay its owner")

    @with_harness
    async def test_one_of_many_creations_wins(self, harness: StrategyHarness) -> None:
        """Of many users who create credentials for one subject at the same time, one succeeds."""
        owners = [await harness.create_user(number) for number in range(self.users)]
        creations = [harness.strategy.create(user_id, self.credentials(0), BY) for user_id in owners]
        results = await asyncio.gather(*creations, return_exceptions=True)
        succeeded = sum(not isinstance(result, BaseException) for result in results)
        existing = sum([await harness.strategy.exists(user_id) for user_id in owners])
        assert (succeeded, existing) == (1, 1), (
            f"of {len(owners)} calls of create() for one subject at once {succeeded} succeeded, and {existing} users "
            "have the credentials: reserve the subject in one step (credentials.link, storage.create), not by looking "
            "first"
        )

    @with_harness
    async def test_an_update_replaces_the_credentials(self, harness: StrategyHarness) -> None:
        """The new credentials log in, and the old ones do not."""
        user_id, credentials = await self.enroll(harness)
        changed = self.changed(credentials)
        if changed is None:
            pytest.skip("changed() returns None: these credentials cannot be updated")
        await harness.strategy.validate(user_id, changed, BY, update=True)
        self.expect_public(changed, await harness.strategy.update(user_id, changed, BY))
        await self.expect_login(harness, changed, user_id, "update() must store the new credentials")
        outcome = await harness.authenticate(self.login(credentials))
        assert isinstance(outcome, Fail), f"update() must replace the old credentials: they still lead to {outcome!r}"

    @with_harness
    async def test_missing_credentials_are_refused(self, harness: StrategyHarness) -> None:
        """The credentials of a user who has none cannot be shown, updated or deleted."""
        strategy = harness.strategy
        for user_id in (await harness.create_user(), UNKNOWN_USER_ID):
            await self._expect_exists(harness, user_id, False, "for a user without credentials")
            advice = "raise errors.NoCredentials for a user without credentials"
            await expect_refusal(strategy.info(user_id), f"info(): {advice}")
            await expect_refusal(strategy.delete(user_id, BY), f"delete(): {advice}")
            changed = self.changed(self.credentials(0))
            if changed is not None:
                await expect_refusal(strategy.update(user_id, changed, BY), f"update(): {advice}")

    @with_harness
    async def test_hostile_credentials_are_taken_or_refused(self, harness: StrategyHarness) -> None:
        """Any JSON in credentials leads to an error of 4xx, or to credentials that can be shown and deleted."""
        user_id, credentials = await harness.create_user(), self.credentials(0)
        bodies = [{**credentials, field: value} for field in credentials for value in HOSTILE_VALUES]
        bodies += [*(dict.fromkeys(credentials, value) for value in HOSTILE_VALUES), {}, {"kuid": UNKNOWN_USER_ID}]
        strategy = harness.strategy
        for body in bodies:
            await expect_no_server_error(strategy.validate(user_id, body, BY, update=False), body)
            await expect_no_server_error(strategy.validate(user_id, body, BY, update=True), body)
            await expect_no_server_error(strategy.create(user_id, body, BY), body)
            if await strategy.exists(user_id):
                json.dumps(await strategy.info(user_id))
                await expect_no_server_error(strategy.update(user_id, body, BY), body)
                await strategy.delete(user_id, BY)
