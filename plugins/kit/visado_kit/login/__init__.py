"""The contract of a login, as tests: subclass `LoginContract`, make the strategy, and make its requests.

    class TestGuests(LoginContract):
        stable = False

        def make(self, host):
            return Guests(host.users)

        def request(self, harness, number):
            return {}

For every strategy, whatever a request holds: a body, headers, cookies, an address, a redirect and its answer. Where a
strategy is a password-like one, whose credentials users or administrators set, subclass `StrategyContract` instead.

Each test has a host of its own, built as `visado serve` builds it, with a storage in a new folder. So `make` may use
what an installed plugin has registered, such as `host.settings[MySection]` or `host.strategies["mine"]`.
"""

from __future__ import annotations

from visado_kit.client_request import ClientRequest
from visado_kit.login.concurrency import LoginConcurrency
from visado_kit.login.declaration import LoginDeclaration
from visado_kit.login.hostility import LoginHostility
from visado_kit.login.secrecy import LoginSecrecy
from visado_kit.login.steps import LoginSteps
from visado_kit.login.suite import LoginHarness, Question

__all__ = ["ClientRequest", "LoginContract", "LoginHarness", "Question"]


class LoginContract(LoginDeclaration, LoginHostility, LoginSteps, LoginConcurrency, LoginSecrecy):
    """The suite. Where a hook returns None, the strategy lacks that feature, and its tests are skipped."""
