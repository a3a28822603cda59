"""Credentials, from their creation to their deletion."""

from __future__ import annotations

import asyncio
import json

import pytest

from visado_kit.credentials.suite import BY, CredentialsHarness, CredentialsSuite
from visado_kit.expectations import expect_no_server_error, expect_refusal
from visado_kit.forms import expect_fit
from visado_kit.harness import with_harness
from visado_kit.hostile import HOSTILE_VALUES, UNKNOWN_USER_ID


class CredentialsLifecycle(CredentialsSuite):
    """A subject has one owner, a user has one set of credentials, and deleted credentials do not log in."""

    @with_harness
    async def test_credentials_fit_their_form(self, harness: CredentialsHarness) -> None:
        """`credentials_form` declares every member of the credentials."""
        credentials = self.credentials(0)
        form = harness.strategy.credentials_form
        assert form is not None, (
            f"credentials_form: declare a model of pydantic with every member; {', '.join(sorted(credentials))} is "
            "missing"
        )
        expect_fit("credentials_form", form, credentials)

    @with_harness
    async def test_created_credentials_exist_until_deleted(self, harness: CredentialsHarness) -> None:
        """Credentials log in, and are shown, from their creation to their deletion."""
        user_id, credentials = await harness.create_user(), self.credentials(0)
        strategy = harness.strategy
        await self.expect_exists(harness, user_id, False, "before create()")
        await strategy.validate(user_id, credentials, BY, update=False)
        await self.expect_exists(harness, user_id, False, "after validate(), which must store nothing")
        created = await strategy.create(user_id, credentials, BY)
        await self.expect_exists(harness, user_id, True, "after create()")
        self.expect_public(credentials, created, await strategy.info(user_id))
        await strategy.delete(user_id, BY)
        await self.expect_exists(harness, user_id, False, "after delete()")
        await self.expect_rejected(harness, credentials, "delete() must delete the credentials")
        await strategy.create(user_id, credentials, BY)
        await self.expect_accepted(harness, credentials, user_id, "deleted credentials may be created again")
        await strategy.delete(user_id, BY)
        other = await harness.create_user(1)
        await strategy.create(other, credentials, BY)
        await self.expect_accepted(harness, credentials, other, "another user may take a deleted subject")

    @with_harness
    async def test_is_found_by_its_subject(self, harness: CredentialsHarness) -> None:
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
    async def test_a_user_has_credentials_once(self, harness: CredentialsHarness) -> None:
        """A second creation for a user is refused, and the first credentials stay; or both log in."""
        user_id, credentials = await self.enroll(harness)
        if self.one_per_user:
            advice = "a user has one set of credentials: raise errors.UserLinked from a second create()"
            await expect_refusal(harness.strategy.create(user_id, self.credentials(1), BY), advice)
        else:
            await harness.strategy.create(user_id, self.credentials(1), BY)
            await self.expect_accepted(harness, self.credentials(1), user_id, "a user may have several credentials")
        await self.expect_accepted(
            harness, credentials, user_id, "a second create() must not change the first credentials"
        )

    @with_harness
    async def test_a_subject_has_one_owner(self, harness: CredentialsHarness) -> None:
        """A user cannot take the subject of another user."""
        user_id, credentials = await self.enroll(harness)
        other, strategy = await harness.create_user(1), harness.strategy
        advice = "a subject has one owner: raise errors.SubjectTaken"
        await expect_refusal(strategy.validate(other, credentials, BY, update=False), f"{advice} from validate()")
        await expect_refusal(strategy.create(other, credentials, BY), f"{advice} from create()")
        await self.expect_exists(harness, other, False, "after a create() that was refused")
        await self.expect_accepted(harness, credentials, user_id, "the first owner of a subject must stay its owner")

    @with_harness
    async def test_one_of_many_creations_wins(self, harness: CredentialsHarness) -> None:
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
    async def test_an_update_replaces_the_credentials(self, harness: CredentialsHarness) -> None:
        """The new credentials log in, and the old ones do not."""
        user_id, credentials = await self.enroll(harness)
        changed = self.changed(credentials)
        if changed is None:
            pytest.skip("changed() returns None: these credentials cannot be updated")
        await harness.strategy.validate(user_id, changed, BY, update=True)
        self.expect_public(changed, await harness.strategy.update(user_id, changed, BY))
        await self.expect_accepted(harness, changed, user_id, "update() must store the new credentials")
        await self.expect_rejected(harness, credentials, "update() must replace the old credentials")

    @with_harness
    async def test_missing_credentials_are_refused(self, harness: CredentialsHarness) -> None:
        """The credentials of a user who has none cannot be shown, updated or deleted."""
        strategy = harness.strategy
        for user_id in (await harness.create_user(), UNKNOWN_USER_ID):
            await self.expect_exists(harness, user_id, False, "for a user without credentials")
            advice = "raise errors.NoCredentials for a user without credentials"
            await expect_refusal(strategy.info(user_id), f"info(): {advice}")
            await expect_refusal(strategy.delete(user_id, BY), f"delete(): {advice}")
            changed = self.changed(self.credentials(0))
            if changed is not None:
                await expect_refusal(strategy.update(user_id, changed, BY), f"update(): {advice}")

    @with_harness
    async def test_hostile_credentials_are_taken_or_refused(self, harness: CredentialsHarness) -> None:
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

    @with_harness
    async def test_a_long_secret_counts_to_its_end(self, harness: CredentialsHarness) -> None:
        """Of two long secrets that differ at the end, one logs in; a secret that is too long is refused."""
        user_id, credentials = await harness.create_user(), self.credentials(0)
        secrets = self.secrets(credentials)
        for name in (name for name, value in credentials.items() if value in secrets):
            long = {**credentials, name: credentials[name] + "x" * 100}
            creation = harness.host.security.strategy_credentials.create(harness.strategy.name, user_id, long, BY)
            if isinstance(await expect_no_server_error(creation, long), Exception):
                continue
            await self.expect_accepted(harness, long, user_id, "a long secret that create() accepted must log in")
            await self.expect_rejected(
                harness,
                {**long, name: f"{long[name][:-1]}y"},
                "compare a long secret to its end: refuse a secret that is too long, or hash all of it",
            )
            await harness.strategy.delete(user_id, BY)
