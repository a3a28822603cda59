"""The contract of a token verifier, as tests: subclass `TokenVerifierContract`, make the verifier and its credentials.

    class TestMine(TokenVerifierContract):
        def make(self, host):
            return next(each for each in host.token_verifiers if each.name == "mine")

        def valid(self, harness, number):
            return ClientRequest(token=sign({"sub": f"user-{number}", "exp": 4_000_000_000}))

        def invalid(self, harness):
            yield ClientRequest(token=sign({"sub": "user-0", "exp": 1_000_000_000}))

Each test has a host of its own, with a clock that stands still (`harness.clock`). Requests run as for a client, through
the host's pipeline.
"""

from __future__ import annotations

from visado_kit.token_verifier.credentials import TokenVerifierCredentials
from visado_kit.token_verifier.finding import TokenVerifierFinding
from visado_kit.token_verifier.resilience import TokenVerifierResilience

__all__ = ["TokenVerifierContract"]


class TokenVerifierContract(TokenVerifierCredentials, TokenVerifierFinding, TokenVerifierResilience):
    """The suite. Tests of what the credentials never are (unforgeable, JWTs) are skipped."""
