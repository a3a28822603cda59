"""Where the secrets of a login must not be."""

from __future__ import annotations

from typing import Any, cast

from visado_kit.canaries import Canaries
from visado_kit.client_request import as_client_request
from visado_kit.expectations import expect_no_server_error
from visado_kit.harness import with_harness
from visado_kit.in_process import Response, dump_documents
from visado_kit.login.suite import LoginHarness, LoginSuite, Step, right_request


class LoginSecrecy(LoginSuite):
    """No secret is logged, returned or stored by a login."""

    @with_harness
    async def test_no_secret_of_a_login_is_logged_shown_or_stored(self, harness: LoginHarness) -> None:
        """Neither right nor wrong secrets are in a log, an outcome, a response or a stored document."""
        canaries, responses, outcomes = Canaries(self.secrets_of(0)), list[Response](), list[object]()
        stored = list[object]()
        with canaries.watch():
            await self.prepare(harness, 0)
            for change in (None, self.wrong, self.unknown):
                last = await self.last_request(harness, 0)
                sent = last.sent if change is None else change(last.sent)
                if sent is None:
                    continue
                if change is not None:
                    _follow(canaries, as_client_request(sent).body, right_request(last).body)
                outcomes += [last.after, await expect_no_server_error(harness.ask(sent, last.after))]
                last = await self.last_request(harness, 0, through_host=True)
                sent = last.sent if change is None else change(last.sent)
                if last.after is None:
                    responses.append(await harness.host.log_in(sent, harness.strategy.name))
                else:
                    outcomes.append(last.after.question)
                    stored.append(await dump_documents(harness.host))  # with the state of the step
                    outcomes.append(await expect_no_server_error(harness.log_in(sent, last.after)))
                for secret in self.secrets_of(0):
                    canaries.add(secret)
        for each in outcomes:
            outcome = each.outcome if isinstance(each, Step) else each
            canaries.check(outcome, where="an outcome or an error")
        canaries.check(repr(harness.strategy), where="a repr: write a __repr__ without it")
        canaries.check(*(each.envelope("node") for each in responses), where="a response of the host")
        stored.append(await dump_documents(harness.host))
        canaries.check(*stored, where="a stored document: store its hash")


def _follow(canaries: Canaries, wrong: Any, right: Any) -> None:
    """Follow the texts of a wrong request that the right one does not have."""
    if isinstance(wrong, dict) and isinstance(right, dict):
        known = cast("dict[str, object]", right)
        for name, value in cast("dict[str, object]", wrong).items():
            if isinstance(value, str) and value and value != known.get(name):
                canaries.add(value)
