"""Strategies that do not do as the actor demands: the test of the kit that finds it, and what its message says."""

from __future__ import annotations

from visado import current_request, errors

from .right import Phrase
from .right_logins import Invited, InvitedContract


class TestDemandsNoProof(InvitedContract):
    caught_by, says = "test_an_owner_proves_its_subject", "an actor of by.must_prove must prove its subject"

    class Plugin(Invited):
        def prove(self, credentials, by):
            return


class TestTrustsAStranger(InvitedContract):
    """An owner proves, and a stranger who signs up does not."""

    caught_by, says = "test_an_owner_proves_its_subject", "refuse credentials without the proof"

    class Plugin(Invited):
        def prove(self, credentials, by):
            if by.kind == "owner":
                super().prove(credentials, by)


class TestProvesAfterItsValidation(InvitedContract):
    """Does not check the proof in `validate`, which the host calls alone before it makes a user."""

    caught_by, says = "test_an_owner_proves_its_subject", "from validate(), with by=owner"

    class Plugin(Invited):
        async def validate(self, user_id, credentials, by, *, update):
            await Phrase.validate(self, user_id, credentials, by, update=update)


class TestGuessesTheActor(InvitedContract):
    """Decides by the controller of the request that runs, and not by who acts."""

    caught_by, says = "test_an_owner_proves_its_subject", "from validate(), with by=owner during security:"

    class Plugin(Invited):
        def prove(self, credentials, by):
            request = current_request()
            if request is not None and request.controller == "auth" and not self.is_invited(credentials):
                raise errors.CredentialsRejected(reason="an invitation is needed")


class TestGuessesAnAdministrator(InvitedContract):
    """Demands the proof of everybody but an administrator's controller: also of the host, and in other actions."""

    caught_by, says = "test_the_current_request_does_not_matter", "let `by` decide, which is an argument"

    class Plugin(Invited):
        def prove(self, credentials, by):
            request = current_request()
            if (request is None or request.controller != "security") and not self.is_invited(credentials):
                raise errors.CredentialsRejected(reason="an invitation is needed")


class TestDemandsAProofOfAnAdministrator(InvitedContract):
    caught_by, says = "test_the_current_request_does_not_matter", "with by=administrator"

    class Plugin(Invited):
        def prove(self, credentials, by):
            if by.kind != "host" and not self.is_invited(credentials):
                raise errors.CredentialsRejected(reason="an invitation is needed")


class TestNeedsTheRequestOfTheActor(InvitedContract):
    """Reads `by.request`, which is None outside of a request of a client."""

    caught_by, says = "test_the_current_request_does_not_matter", "raised AttributeError"

    class Plugin(Invited):
        def prove(self, credentials, by):
            if by.request.user.id != "admin":
                super().prove(credentials, by)


class TestShowsTheInvitation(InvitedContract):
    caught_by, says = "test_every_actor_can_manage_credentials", "is in a result: return only what is public"

    class Plugin(Invited):
        async def create(self, user_id, credentials, by):
            return {**await super().create(user_id, credentials, by), "sent": dict(credentials)}
