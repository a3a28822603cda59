"""The contract of a login check, as tests: subclass `LoginCheckContract`, make the check, and answer its challenges.

    class TestMine(LoginCheckContract):
        def make(self, host):
            return next(check for check in host.login_checks if check.name == "mine")

        async def enroll(self, harness, user_id):
            await harness.host.users.merge(user_id, {"phone": "+47 22 00 00 00"})

        async def answer(self, harness, user_id, challenge):
            return {"code": LAST_CODE_SENT[user_id]}

Each test has a host of its own, with a clock that stands still (`harness.clock`) and a strategy that logs in any user.
Logins and answers run as for a client: `auth:login`, through the host's pipeline.
"""

from __future__ import annotations

from visado_kit.login_check.answers import LoginCheckAnswers
from visado_kit.login_check.decisions import LoginCheckDecisions
from visado_kit.login_check.factors import LoginCheckFactors
from visado_kit.login_check.resilience import LoginCheckResilience

__all__ = ["LoginCheckContract"]


class LoginCheckContract(LoginCheckDecisions, LoginCheckAnswers, LoginCheckFactors, LoginCheckResilience):
    """The suite. Tests of what the check never does (challenge, refuse) are skipped."""
