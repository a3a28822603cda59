"""The contract of a strategy, as tests: subclass `StrategyContract`, make the strategy, and make its credentials.

    class TestMine(StrategyContract):
        def make(self, host):
            return MyStrategy(host.users, host.credentials)

        def credentials(self, number):
            return {"username": f"user{number}", "password": f"secret-{number}-xyzzy"}

Each test has a host of its own, built as `visado serve` builds it, with a storage in a new folder. So `make` may use
what an installed plugin has registered, such as `host.settings[MySection]` or `host.strategies["mine"]`.
"""

from __future__ import annotations

from visado_kit.strategy.concurrency import StrategyConcurrency
from visado_kit.strategy.lifecycle import StrategyLifecycle
from visado_kit.strategy.outcomes import StrategyOutcomes
from visado_kit.strategy.secrecy import StrategySecrecy

__all__ = ["StrategyContract"]


class StrategyContract(StrategyOutcomes, StrategyLifecycle, StrategyConcurrency, StrategySecrecy):
    """The suite. Where a hook returns None, the strategy lacks that feature, and its tests are skipped."""
