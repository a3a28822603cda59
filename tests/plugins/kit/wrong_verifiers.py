"""Token verifiers with one fault each: the test of the kit that finds it, and what its message says."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time

import jwt

from visado import Identity, Verified

from .right_verifiers import KEY, Passwords, PasswordsContract, Tickets, TicketsContract


class TestAcceptsAnySignature(TicketsContract):
    caught_by, says = "test_altered_credentials_are_refused", "verify the whole credential, with its signature"

    class Plugin(Tickets):
        def read(self, credential):
            return super().read(credential, verify_signature=False)


class TestAcceptsTheAlgorithmNone(TicketsContract):
    caught_by, says = "test_unsigned_tokens_are_refused", "fix the algorithms"

    class Plugin(Tickets):
        def read(self, credential):
            try:
                unsigned = jwt.get_unverified_header(credential)["alg"] == "none"
            except jwt.PyJWTError:
                return None
            return super().read(credential, **({"verify_signature": False} if unsigned else {}))


class TestAcceptsExpiredTokens(TicketsContract):
    caught_by, says = "test_invalid_credentials_are_refused", "number 0 of invalid() must be refused"

    class Plugin(Tickets):
        async def verify(self, credential, request):
            claims = self.read(credential, verify_exp=False)
            return None if claims is None else Verified(Identity(claims["sub"]))


class TestAcceptsTokensForOthers(TicketsContract):
    caught_by, says = "test_invalid_credentials_are_refused", "number 1 of invalid() must be refused"

    class Plugin(Tickets):
        def read(self, credential):
            return super().read(credential, verify_aud=False)


class TestCountsInSeconds(TicketsContract):
    caught_by, says = "test_a_valid_credential_is_its_user", "expires_at in milliseconds since 1970"

    class Plugin(Tickets):
        async def verify(self, credential, request):
            claims = self.read(credential)
            return None if claims is None else Verified(Identity(claims["sub"]), claims["exp"])


class TestRaisesForMalformedTokens(TicketsContract):
    caught_by, says = "test_hostile_requests_are_refused", "the log says what was raised"

    class Plugin(Tickets):
        def read(self, credential):
            return jwt.decode(credential, KEY, algorithms=["HS256"], audience="host")


class TestFindRaises(TicketsContract):
    caught_by, says = "test_find_looks_at_any_request", "find() must not raise"

    class Plugin(Tickets):
        def find(self, request):
            return request.jwt if request.jwt.count(".") == 2 else None


class TestFindDecodes(PasswordsContract):
    caught_by, says = "test_hostile_requests_are_refused", "find() must not raise: check what a client sends"

    class Plugin(Passwords):
        def find(self, request):
            text = super().find(request)
            return text if text is None or text.split(" ")[1].encode("ascii") else None


class TestFindsTheNameAlone(PasswordsContract):
    """The host caches that this name is good, whatever the password."""

    caught_by, says = "test_altered_credentials_are_refused", "return from find() all that verify() depends on"

    class Plugin(Passwords):
        def find(self, request):
            text = super().find(request)
            return None if text is None else self.read(text)[0] or text

        async def verify(self, credential, request):
            return await super().verify(super().find(request), request)


class TestFindsNewTexts(TicketsContract):
    caught_by, says = "test_find_only_looks", "return the same text from find()"

    class Plugin(Tickets):
        numbers = itertools.count()

        def find(self, request):
            text = super().find(request)
            return None if text is None else f"{text}#{next(self.numbers)}"


class TestFindChangesTheRequest(TicketsContract):
    caught_by, says = "test_find_only_looks", "find() must not change the request"

    class Plugin(Tickets):
        def find(self, request):
            request.args["seen"] = True
            return super().find(request)


class TestFindTakesItsTime(TicketsContract):
    caught_by, says = "test_find_only_looks", "look only, and do the work in verify()"
    max_block_seconds = 0.001

    class Plugin(Tickets):
        def find(self, request):
            time.sleep(0.002)
            return super().find(request)


class TestKnowsEverybody(PasswordsContract):
    caught_by, says = "test_requests_without_a_credential_are_anonymous", "return None from find()"

    class Plugin(Passwords):
        def find(self, request):
            return super().find(request) or "nobody"


class TestIsOneUserForAll(TicketsContract):
    caught_by, says = "test_a_valid_credential_is_its_user", "return another user for the credential of another user"

    class Plugin(Tickets):
        async def verify(self, credential, request):
            verified = await super().verify(credential, request)
            return verified and Verified(Identity("everybody"), verified.expires_at)


class TestKeepsTheCallInTheVerifier(TicketsContract):
    caught_by, says = "test_many_users_at_once_are_not_mixed_up", "keep nothing of a call in the verifier"

    class Plugin(Tickets):
        async def verify(self, credential, request):
            self.credential = credential
            await asyncio.sleep(0)
            return await super().verify(self.credential, request)


class TestStaysLocked(TicketsContract):
    caught_by, says = "test_cancelled_calls_leave_nothing_half_done", "release every lock"

    class Plugin(Tickets):
        busy = False

        async def verify(self, credential, request):
            if self.busy:
                return None
            self.busy = True
            await asyncio.sleep(0.003)
            self.busy = False
            return await super().verify(credential, request)


class TestBlocksTheLoop(TicketsContract):
    caught_by, says = "test_does_not_block_the_event_loop", "run slow work in a thread"

    class Plugin(Tickets):
        async def verify(self, credential, request):
            time.sleep(0.1)  # noqa: ASYNC251 - the fault
            return await super().verify(credential, request)


class TestLogsTheCredential(TicketsContract):
    caught_by, says = "test_no_secret_is_logged_or_shown", "is in the log"

    class Plugin(Tickets):
        async def verify(self, credential, request):
            logging.getLogger("tickets").info("a credential: %s", credential)
            return await super().verify(credential, request)


class TestShowsTheCredential(PasswordsContract):
    caught_by, says = "test_no_secret_is_logged_or_shown", "is in the repr of the verifier"

    class Plugin(Passwords):
        last = ""

        async def verify(self, credential, request):
            self.last = credential
            return await super().verify(credential, request)

        def __repr__(self):
            return f"<Passwords {self.last}>"


class TestHasATimeoutOfAnHour(TicketsContract):
    caught_by, says = "test_is_declared_well", "timeout: use more than 0 and at most 60 seconds, not 3600"

    class Plugin(Tickets):
        timeout = 3_600
