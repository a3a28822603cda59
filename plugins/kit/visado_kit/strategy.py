"""The contract of a password-like strategy, as tests: subclass `StrategyContract`, make the strategy and credentials.

    class TestMine(StrategyContract):
        def make(self, host):
            return MyStrategy(host.users, host.credentials)

        def credentials(self, number):
            return {"username": f"user{number}", "password": f"secret-{number}-xyzzy"}

`StrategyContract` has the tests of `LoginContract` and of `CredentialsContract`: users have credentials, and a login is
one request with them.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, ClassVar

from typing_extensions import override

from visado import Fields, KeepsCredentials
from visado_kit.client_request import LoginInput
from visado_kit.credentials import CredentialsContract
from visado_kit.in_process import InProcessHost
from visado_kit.login import LoginContract

__all__ = ["StrategyContract"]


class StrategyContract(CredentialsContract, LoginContract):
    """The suite. Where a hook returns None, the strategy lacks that feature, and its tests are skipped."""

    repeatable: ClassVar[bool | None] = True

    @override
    def make(self, host: InProcessHost) -> KeepsCredentials:
        raise NotImplementedError("implement make(): return the strategy")

    @override
    def login(self, credentials: Fields) -> LoginInput | Awaitable[LoginInput]:
        return credentials

    @override
    def wrong(self, sent: Any) -> Any:
        return {**sent, "password": "not-the-secret"}

    @override
    def unknown(self, sent: Any) -> Any:
        return {**sent, "username": "nobody-has-this-name"}

    @override
    async def prepare(self, harness: Any, number: int) -> str | None:
        return (await self.enroll(harness, number))[0]

    @override
    def request(self, harness: Any, number: int) -> LoginInput | Awaitable[LoginInput]:
        return self.login(self.credentials(number))

    @override
    def secrets_of(self, number: int) -> list[str]:
        return self.secrets(self.credentials(number))
