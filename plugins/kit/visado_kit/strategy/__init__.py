"""What every strategy promises, as tests: subclass `StrategyContract`, and say how yours is made and fed.

    class TestMine(StrategyContract):
        def make(self, host):
            return MyStrategy(host.users, host.credentials)

        def credentials(self, number):
            return {"username": f"user{number}", "password": f"secret-{number}-xyzzy"}

Every test has a host of its own, built as `visado serve` builds it, over a storage in a new folder. So `make` may
take what a plugin has declared, such as `host.settings[MySection]` or `host.security.strategies["mine"]`.
"""

from __future__ import annotations

from visado_kit.strategy.crowds import Crowds
from visado_kit.strategy.endings import Endings
from visado_kit.strategy.lifecycle import Lifecycle
from visado_kit.strategy.secrecy import Secrecy

__all__ = ["StrategyContract"]


class StrategyContract(Endings, Lifecycle, Crowds, Secrecy):
    """The suite. What a strategy does not have (an ending, `by_id`) its hook answers with None: it is skipped."""
