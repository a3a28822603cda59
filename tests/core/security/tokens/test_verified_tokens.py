from __future__ import annotations

import pytest

from visado.request import Token
from visado.security.tokens.verified_tokens import VerifiedTokens

TOKEN = Token("id", "ann", 2_000, 1_000)


class Clock:
    now = 1_000

    def __call__(self):
        return self.now


@pytest.fixture
def verified():
    return VerifiedTokens(Clock())


def test_a_token_is_cached_until_it_is_removed(verified):
    verified.add("text", TOKEN, 2_000, verified.removals)
    assert verified.get("text") == (TOKEN, 2_000)
    verified.remove("id")
    assert verified.get("text") is None


def test_a_token_that_was_read_before_a_removal_is_not_cached(verified):
    removals = verified.removals
    verified.remove("id")
    verified.add("text", TOKEN, 2_000, removals)
    assert verified.get("text") is None


@pytest.mark.parametrize("ends_at", [2_000, -1])
def test_a_response_is_valid_while_its_tokens_are_cached_and_have_not_ended(verified, ends_at):
    verified.add("text", TOKEN, ends_at, verified.removals)
    depends_on = [("text", verified.get("text"))]
    assert verified.still_valid(depends_on)
    verified._clock.now = 2_000
    assert verified.still_valid(depends_on) is (ends_at == -1)


def test_a_response_is_no_longer_valid_where_its_token_was_verified_again(verified):
    verified.add("text", TOKEN, 2_000, verified.removals)
    depends_on = [("text", verified.get("text"))]
    verified.remove("id")
    verified.add("text", TOKEN, 2_000, verified.removals)
    assert not verified.still_valid(depends_on)
