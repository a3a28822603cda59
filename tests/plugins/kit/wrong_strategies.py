"""Strategies with one fault each: the test of the kit that finds it, and what its message says."""

from __future__ import annotations

import asyncio
import logging

from pydantic import BaseModel

from visado import Collection, Fail, Redirect, Success, errors

from .right import WRONG, Phrase, PhraseContract, hashed, is_text, verified


class TestLogsInAnotherUser(PhraseContract):
    caught_by, says = (
        "test_a_right_login_succeeds",
        "a right login must log in its user: return Success('kuid-of-",
    )

    class Plugin(Phrase):
        async def authenticate(self, request):
            outcome = await super().authenticate(request)
            return Success("kuid-of-user-1") if isinstance(outcome, Success) else outcome


class TestLogsInAnUnknownUser(PhraseContract):
    """Returns Success with a name in place of a user's id."""

    caught_by, says = "test_a_right_login_succeeds", "a right login must log in its user: return Success"

    class Plugin(Phrase):
        async def authenticate(self, request):
            outcome = await super().authenticate(request)
            return Success(request.fields["name"]) if isinstance(outcome, Success) else outcome


class TestAcceptsAnySecret(PhraseContract):
    caught_by, says = "test_wrong_secret_and_unknown_subject_fail_alike", "return Fail() for a wrong secret"

    class Plugin(Phrase):
        async def authenticate(self, request):
            row = await self.credentials.get(self.name, request.fields["name"])
            return Success(row["userId"]) if row else Fail(WRONG)


class TestRevealsWhoExists(PhraseContract):
    caught_by, says = (
        "test_wrong_secret_and_unknown_subject_fail_alike",
        "return the same Fail for an unknown subject and for a wrong secret",
    )

    class Plugin(Phrase):
        async def authenticate(self, request):
            if await self.credentials.get(self.name, request.fields["name"]) is None:
                return Fail("unknown name")
            return await super().authenticate(request)


class TestIsFasterForUnknownSubjects(PhraseContract):
    caught_by, says = (
        "test_time_does_not_tell_who_exists",
        "do the same work for both; verify the secret of an unknown subject against a decoy",
    )
    timing_samples = 5

    class Plugin(Phrase):
        async def authenticate(self, request):
            if await self.credentials.get(self.name, request.fields["name"]) is None:
                return Fail(WRONG)
            return await super().authenticate(request)


class TestBlocksTheLoop(PhraseContract):
    caught_by, says = "test_a_login_does_not_block_the_event_loop", "in a thread (asyncio.to_thread)"

    class Plugin(Phrase):
        async def authenticate(self, request):
            for _ in range(20):
                hashed(request.fields["phrase"])
            return await super().authenticate(request)


class TestShowsTheSecret(PhraseContract):
    caught_by, says = "test_created_credentials_exist_until_deleted", "is in a result: return only what is public"

    class Plugin(Phrase):
        async def create(self, user_id, credentials, by):
            await super().create(user_id, credentials, by)
            return credentials


class TestReturnsWhatIsNotJson(PhraseContract):
    caught_by, says = "test_created_credentials_exist_until_deleted", "return only what JSON can represent"

    class Plugin(Phrase):
        async def info(self, user_id):
            return {**await super().info(user_id), "seen": {1, 2}}


class TestLogsTheSecret(PhraseContract):
    caught_by, says = "test_no_secret_of_a_login_is_logged_shown_or_stored", "is in the log"

    class Plugin(Phrase):
        async def authenticate(self, request):
            logging.getLogger("phrase").debug("a login: %s", request.fields)
            return await super().authenticate(request)


class TestShowsTheSecretInItsRepr(PhraseContract):
    caught_by, says = "test_no_secret_is_logged_shown_or_stored", "is in a repr"

    class Plugin(Phrase):
        async def create(self, user_id, credentials, by):
            self.last = credentials
            return await super().create(user_id, credentials, by)

        def __repr__(self):
            return f"Phrase({vars(self)})"


class TestStoresTheSecret(PhraseContract):
    caught_by, says = "test_no_secret_is_logged_shown_or_stored", "is in a stored document: store its hash"

    class Plugin(Phrase):
        async def create(self, user_id, credentials, by):
            shown = await super().create(user_id, credentials, by)
            await self.credentials.merge(self.name, user_id, {"hint": f"begins like {credentials['phrase']}"})
            return shown


class TestRaisesWithTheSecret(PhraseContract):
    caught_by, says = "test_no_secret_is_logged_shown_or_stored", "is in an error"

    class Plugin(Phrase):
        async def create(self, user_id, credentials, by):
            try:
                return await super().create(user_id, credentials, by)
            except errors.VisadoError:
                raise errors.CredentialsRejected(reason=f"{credentials} is there already") from None


class TestDeletesNothing(PhraseContract):
    caught_by, says = (
        "test_created_credentials_exist_until_deleted",
        "exists() must return False after delete(), not True",
    )

    class Plugin(Phrase):
        async def delete(self, user_id, by):
            await self.info(user_id)


class TestAuthenticatesFromACache(PhraseContract):
    """Authenticates from a cache, so that deleted credentials still log in."""

    caught_by, says = "test_created_credentials_exist_until_deleted", "delete() must delete the credentials"

    class Plugin(Phrase):
        def __init__(self, host):
            super().__init__(host)
            self.known = {}

        async def create(self, user_id, credentials, by):
            self.known[credentials["name"]] = user_id, hashed(credentials["phrase"])
            return await super().create(user_id, credentials, by)

        async def authenticate(self, request):
            user_id, kept = self.known.get(request.fields.get("name"), ("", self.decoy))
            return Success(user_id) if verified(kept, request.fields["phrase"]) else Fail(WRONG)


class TestUpdatesOnASecondCreation(PhraseContract):
    caught_by, says = "test_a_user_has_credentials_once", "raise errors.UserLinked from a second create()"

    class Plugin(Phrase):
        async def create(self, user_id, credentials, by):
            if await self.exists(user_id):
                return await self.update(user_id, credentials, by)
            return await super().create(user_id, credentials, by)


class TestChangesTheOwner(PhraseContract):
    """Gives the name of a user to the next user who creates it."""

    caught_by, says = "test_a_subject_has_one_owner", "a subject has one owner: raise errors.SubjectTaken from create()"

    class Plugin(Phrase):
        async def create(self, user_id, credentials, by):
            row = await self.credentials.get(self.name, credentials["name"])
            if row:
                await self.credentials.unlink(self.name, row["userId"])
            return await super().create(user_id, credentials, by)


class TestLooksFirst(PhraseContract):
    """Looks whether a name is free before it hashes: two users may find that it is."""

    caught_by, says = "test_one_of_many_creations_wins", "reserve the subject in one step"

    class Plugin(Phrase):
        def __init__(self, host):
            super().__init__(host)
            self.owners, self.users = {}, set()

        async def create(self, user_id, credentials, by):
            if credentials["name"] in self.owners:
                raise errors.SubjectTaken(subject=credentials["name"])
            self.owners[credentials["name"]] = user_id, await asyncio.to_thread(hashed, credentials["phrase"])
            self.users.add(user_id)
            return {"name": credentials["name"]}

        async def exists(self, user_id):
            return user_id in self.users


class TestReturnsADocumentFromExists(PhraseContract):
    caught_by, says = (
        "test_created_credentials_exist_until_deleted",
        "exists() must return False before create(), not None",
    )

    class Plugin(Phrase):
        async def exists(self, user_id):
            return await self.credentials.get_of_user(self.name, user_id)


class TestTrustsItsInput(PhraseContract):
    caught_by, says = "test_hostile_logins_are_refused", "validate what a client sends before using it"

    class Plugin(Phrase):
        async def authenticate(self, request):
            name, phrase = request.fields["name"], request.fields["phrase"]
            row = await self.credentials.get(self.name, name.strip())
            right = await asyncio.to_thread(verified, row["hash"] if row else self.decoy, phrase)
            return Success(row["userId"]) if row and right else Fail(WRONG)


class TestTrustsItsCredentials(PhraseContract):
    caught_by, says = "test_hostile_credentials_are_taken_or_refused", "refuse it with an error of 4xx"

    class Plugin(Phrase):
        def read(self, credentials, update):
            return [credentials.get("name"), credentials.get("phrase")]


class TestReturnsNothing(PhraseContract):
    caught_by, says = "test_hostile_logins_are_refused", "the host cannot send: return one of the outcomes"

    class Plugin(Phrase):
        async def authenticate(self, request):
            if not is_text(request.fields.get("name")):
                return None
            return await super().authenticate(request)


class TestReturnsTrue(PhraseContract):
    caught_by, says = "test_a_right_login_succeeds", "return Success('kuid-of-user-0'), not True"

    class Plugin(Phrase):
        async def authenticate(self, request):
            return isinstance(await super().authenticate(request), Success)


class TestRedirectsToTwoLines(PhraseContract):
    caught_by, says = "test_redirects_to_an_address", "a Redirect needs a location of one line"

    class Plugin(Phrase):
        async def authenticate(self, request):
            return Redirect("https://id.example.com/login\r\nSet-Cookie: a=b")


class TestRaisesAnErrorOfPython(PhraseContract):
    caught_by, says = "test_its_errors_pass", "raise an error of visado.errors, or your own subclass of one"

    class Plugin(Phrase):
        async def authenticate(self, request):
            raise ConnectionError("the directory is down")


class TestFoldsCase(PhraseContract):
    caught_by, says = "test_the_whole_secret_counts", "compare the whole secret without folding, trimming or cutting it"

    class Plugin(Phrase):
        async def authenticate(self, request):
            request.body["phrase"] = request.fields["phrase"].lower()
            return await super().authenticate(request)

        def read(self, credentials, update):
            name, phrase = super().read(credentials, update)
            return [name, phrase and phrase.lower()]


class TestCutsLongSecrets(PhraseContract):
    caught_by, says = "test_a_long_secret_counts_to_its_end", "compare a long secret to its end"

    class Plugin(Phrase):
        async def authenticate(self, request):
            request.body["phrase"] = request.fields["phrase"][:72]
            return await super().authenticate(request)

        def read(self, credentials, update):
            phrase = credentials.get("phrase")
            return super().read({**credentials, "phrase": phrase and phrase[:72]}, update)


class TestKeepsTheOldSecret(PhraseContract):
    caught_by, says = "test_an_update_replaces_the_credentials", "update() must store the new credentials"

    class Plugin(Phrase):
        async def update(self, user_id, credentials, by):
            return await super().update(user_id, {"name": credentials["name"]}, by)


class TestLeavesAReservation(PhraseContract):
    """Reserves a name before it hashes, and never releases it if it is cancelled meanwhile."""

    caught_by, says = (
        "test_cancelled_creations_leave_nothing_half_done",
        "a create() that is cancelled must store everything or nothing",
    )

    class Plugin(Phrase):
        def __init__(self, host):
            super().__init__(host)
            self.reserved = set()

        async def create(self, user_id, credentials, by):
            if credentials["name"] in self.reserved:
                raise errors.SubjectTaken(subject=credentials["name"])
            self.reserved.add(credentials["name"])
            await asyncio.sleep(0.03)
            shown = await super().create(user_id, credentials, by)
            self.reserved.discard(credentials["name"])
            return shown


class TestCatchesTheCancellation(PhraseContract):
    caught_by, says = "test_cancelled_logins_leave_nothing_half_done", "let asyncio.CancelledError pass"

    class Plugin(Phrase):
        async def authenticate(self, request):
            try:
                return await super().authenticate(request)
            except BaseException:
                return Fail(WRONG)


class TestMixesUpLogins(PhraseContract):
    caught_by, says = "test_many_logins_at_once_are_not_confused", "not in attributes of the strategy"

    class Plugin(Phrase):
        async def authenticate(self, request):
            self.row = await self.credentials.get(self.name, request.fields["name"])
            phrase = request.fields["phrase"]
            right = await asyncio.to_thread(verified, self.row["hash"] if self.row else self.decoy, phrase)
            return Success(self.row["userId"]) if right else Fail(WRONG)


class TestStoresInMemory(PhraseContract):
    """Stores hashes in memory only."""

    caught_by, says = (
        "test_stored_credentials_can_be_moved",
        "store all that a login needs in the host's storage, as JSON",
    )

    class Plugin(Phrase):
        def __init__(self, host):
            super().__init__(host)
            host.storage.declare(Collection("pepper"))
            self.pepper = {}

        async def create(self, user_id, credentials, by):
            self.pepper[credentials["name"]] = hashed(credentials["phrase"])
            await self.credentials.link(self.name, credentials["name"], user_id)
            return {"name": credentials["name"]}

        async def authenticate(self, request):
            row = await self.credentials.get(self.name, request.fields["name"])
            kept = self.pepper.get(request.fields["name"], self.decoy)
            return Success(row["userId"]) if row and verified(kept, request.fields["phrase"]) else Fail(WRONG)


class TestDeclaresTooFewFields(PhraseContract):
    caught_by, says = "test_credentials_fit_their_form", "credentials_form: declare every member; phrase is missing"

    class Plugin(Phrase):
        class credentials_form(BaseModel):  # noqa: N801
            name: str
