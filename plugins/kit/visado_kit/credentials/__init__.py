"""The contract of credentials that users or administrators set, as tests: subclass `CredentialsContract`.

    class TestKeys(CredentialsContract):
        def make(self, host):
            return host.strategies["keys"]

        def credentials(self, number):
            return {"key": f"ssh-ed25519 {number}"}

For strategies of `KeepsCredentials`. `StrategyContract` has these tests and those of logins: subclass it where a login
is one request with the credentials. With other logins, subclass this class and `LoginContract`.
"""

from __future__ import annotations

from visado_kit.credentials.actors import CredentialsActors
from visado_kit.credentials.concurrency import CredentialsConcurrency
from visado_kit.credentials.lifecycle import CredentialsLifecycle
from visado_kit.credentials.secrecy import CredentialsSecrecy
from visado_kit.credentials.suite import CredentialsHarness

__all__ = ["CredentialsContract", "CredentialsHarness"]


class CredentialsContract(CredentialsLifecycle, CredentialsActors, CredentialsConcurrency, CredentialsSecrecy):
    """The suite. Where a hook returns None, the strategy lacks that feature, and its tests are skipped."""
