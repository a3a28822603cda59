"""A verifier under stress: crowds, cancelled calls, slow work, and secrets in logs."""

from __future__ import annotations

import asyncio

from visado import Verified
from visado_kit.canaries import Canaries
from visado_kit.client_request import ClientRequest
from visado_kit.expectations import cancel, measure_block
from visado_kit.harness import with_harness
from visado_kit.in_process import Response
from visado_kit.token_verifier.suite import TokenVerifierHarness, TokenVerifierSuite, altered


class TokenVerifierResilience(TokenVerifierSuite):
    """Nothing that goes wrong makes a request somebody else's, blocks the host, or reveals a secret."""

    @with_harness
    async def test_many_users_at_once_are_not_mixed_up(self, harness: TokenVerifierHarness) -> None:
        """Of many requests at once, each is its own user."""
        sent = [await self.enrolled(harness, number) for number in range(4)]
        crowd = [number % len(sent) for number in range(self.parallel)]
        verified = await asyncio.gather(*(self._verify(harness, sent[number]) for number in crowd))
        advice = "keep nothing of a call in the verifier: many run at once, and each must return its own user"
        who = dict(zip(crowd, verified, strict=True))
        assert all(each == who[number] for number, each in zip(crowd, verified, strict=True)), advice
        assert len({repr(each) for each in who.values()}) == len(sent), advice
        users = await asyncio.gather(*(harness.user(sent[number]) for number in crowd))
        assert len({*users}) == len(sent), advice

    async def _verify(self, harness: TokenVerifierHarness, sent: ClientRequest) -> object:
        request = harness.build(sent)
        text = harness.verifier.find(request)
        assert text is not None, "return the credential from find() of a request that has one"
        verified = await harness.verifier.verify(text, request)
        return verified.who if isinstance(verified, Verified) else None

    @with_harness
    async def test_cancelled_calls_leave_nothing_half_done(self, harness: TokenVerifierHarness) -> None:
        """After calls that were cancelled, a valid credential is accepted."""
        sent = await self.enrolled(harness)
        for delay in (0, 0.001, 0.005):
            await cancel(self._verify(harness, sent), delay)
        advice = "a call may be cancelled at any await: release every lock, and write everything or nothing"
        assert await self._verify(harness, sent) is not None, advice

    @with_harness
    async def test_does_not_block_the_event_loop(self, harness: TokenVerifierHarness) -> None:
        """Other tasks run while `verify` works."""
        sent = await self.enrolled(harness)
        seconds = await measure_block(lambda _: self._verify(harness, sent), self.max_block_seconds)
        assert seconds <= self.max_block_seconds, (
            f"verify() blocks the event loop for {seconds:.3f} s: run slow work in a thread (asyncio.to_thread)"
        )

    @with_harness
    async def test_no_secret_is_logged_or_shown(self, harness: TokenVerifierHarness) -> None:
        """Neither valid nor invalid credentials are in a log, a response or a `repr`."""
        canaries, responses = Canaries(), list[Response]()
        with canaries.watch():
            right = await self.enrolled(harness)
            for sent in (right, *self.invalid(harness), *(altered(right) if self.unforgeable else ())):
                for secret in self.secrets(sent):
                    canaries.add(secret)
                responses.append(await harness.run(sent))
        for response in responses:
            canaries.check(response.reply.result, response.error, where="a response")
        canaries.check(harness.verifier, where="the repr of the verifier")
