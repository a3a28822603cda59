"""Windows of one second."""

from __future__ import annotations

import pytest

from visado.security.rate_limits import RateLimits


class Clock:
    def __init__(self) -> None:
        self.now = 5_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_client_has_its_limit_in_each_window(clock):
    limits = RateLimits(clock)
    assert [limits.admit("ann", 2) for _ in range(3)] == [True, True, False]
    clock.now += 999
    assert not limits.admit("ann", 2)
    assert limits.admit("bob", 2)
    clock.now += 1
    assert limits.admit("ann", 2)


def test_a_clock_that_is_set_back_opens_a_new_window(clock):
    limits = RateLimits(clock)
    assert limits.admit("ann", 1)
    clock.now -= 10_000
    assert limits.admit("ann", 1)


def test_no_request_is_within_a_limit_of_none(clock):
    assert not RateLimits(clock).admit("ann", 0)
