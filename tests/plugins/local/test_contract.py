from __future__ import annotations

from visado_kit.strategy import StrategyContract


class TestLocal(StrategyContract):
    def make(self, host):
        return host.security.strategies["local"]

    def credentials(self, number):
        return {"username": f"user{number}", "password": f"xyzzy {number} correct horse"}


class TestLocalStrict(TestLocal):
    def settings(self):
        return {"security": {"preset": "strict"}}
