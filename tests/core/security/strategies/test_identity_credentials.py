"""The credentials of strategies that return identities: an administrator names a subject, a user logs in."""

from __future__ import annotations

import pytest

from tests.core.security.logins.scripts import Told
from visado import errors
from visado.strategy import Identity, Success


def test_an_administrator_names_the_subject_and_the_user_logs_in_with_it(play):
    async def scene(inside):
        await inside.user("ann")
        asked = {"strategy": "told", "_id": "ann"}
        assert await inside.result("security:getCredentialFields", strategy="told") == ["subject"]
        made = await inside.result("security:createCredentials", {"subject": "Ann"}, **asked)
        assert made == {"subject": "Ann", "kuid": "ann"}
        assert (await inside.result("auth:login", {}, strategy="told"))["_id"] == "ann"
        moved = await inside.result("security:updateCredentials", {"subject": "Other"}, **asked)
        assert moved == {"subject": "Other", "kuid": "ann"}
        assert await inside.error("auth:login", {}, strategy="told") == "plugin.strategy.missing_user"
        assert await inside.result("security:getCredentials", **asked) == moved
        by_id = {"strategy": "told", "_id": "Other"}
        assert await inside.result("security:getCredentialsById", **by_id) == moved
        assert await inside.result("security:hasCredentials", **asked) is True
        await inside.result("security:deleteCredentials", **asked)
        assert await inside.result("security:hasCredentials", **asked) is False
        assert await inside.error("security:deleteCredentials", **asked) == errors.NoCredentials.id

    play(scene, strategies=[Told("told", Success(Identity("Ann")))])


def test_a_user_names_no_subject_of_its_own(play):
    async def scene(inside):
        token = await inside.user("ann")
        given = {"strategy": "told", "token": token}
        for action in ("createMyCredentials", "updateMyCredentials", "validateMyCredentials"):
            assert await inside.error(f"auth:{action}", {"subject": "Bob"}, **given) == errors.CredentialsRejected.id
        body = {"content": {}, "credentials": {"told": {"subject": "Bob"}}}
        assert await inside.error("security:createRestrictedUser", body) == errors.CredentialsRejected.id
        assert await inside.rows("credentials-told") == {}
        assert list(await inside.rows("users")) == ["ann"]

    play(scene, strategies=[Told("told")])


@pytest.mark.parametrize(
    "credentials", [{}, {"subject": 5}, {"subject": ""}, {"subject": "x" * 1_025}, {"subject": "x", "userId": "bob"}]
)
def test_what_is_no_subject_is_rejected(play, credentials):
    async def scene(inside):
        await inside.user("ann")
        asked = {"strategy": "told", "_id": "ann"}
        for action in ("createCredentials", "validateCredentials"):
            assert await inside.error(f"security:{action}", credentials, **asked) == errors.CredentialsRejected.id

    play(scene, strategies=[Told("told")])


def test_a_subject_has_one_user_and_a_user_one_subject(play):
    async def scene(inside):
        for name in ("ann", "bob"):
            await inside.user(name)
        await inside.result("security:createCredentials", {"subject": "Ann"}, strategy="told", _id="ann")
        bob = {"strategy": "told", "_id": "bob"}
        assert await inside.error("security:createCredentials", {"subject": "Ann"}, **bob) == errors.SubjectTaken.id
        ann = {"strategy": "told", "_id": "ann"}
        assert await inside.error("security:createCredentials", {"subject": "Two"}, **ann) == errors.UserLinked.id

    play(scene, strategies=[Told("told")])
