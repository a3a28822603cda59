from __future__ import annotations

from visado_ldap.servers.breaker import CircuitBreaker


def test_a_breaker_admits_one_and_pauses_longer_each_time():
    now = 0.0
    breaker = CircuitBreaker(lambda: now)
    assert breaker.admit()
    assert breaker.admit()
    assert breaker.record_failure() is True
    assert breaker.record_failure() is False  # sent before the pause: no longer pause
    assert not breaker.admit()
    for pause in (1, 2, 4, 8, 10, 10):
        now += pause - 0.01
        assert not breaker.admit()
        now += 0.02
        assert breaker.admit()
        assert not breaker.admit()
        assert breaker.record_failure() is False
    now += 31
    assert breaker.admit()
    assert breaker.record_success() is True
    assert breaker.admit()
    assert breaker.record_success() is False
