"""A cache of verified tokens and API keys, so that the next request with one costs a lookup."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from visado.host import Clock
from visado.request import Token, current_request
from visado.settings.durations import FOREVER
from visado.storage.bounded import BoundedDict

MAX_CACHED_TOKENS: Final = 50_000


VerifiedToken: TypeAlias = tuple[Token, int]
"""A verified token, and when it stops working in milliseconds since 1970; -1 for never.

A refreshed token stops working before it expires. A plain tuple: each request reads one, and a named tuple is slower to
unpack.
"""


class VerifiedTokens:
    """The verified tokens and API keys, by their texts. Removed when they are revoked."""

    get: Callable[[str], VerifiedToken | None]
    """Return the cached token of a text, or None. It may have ended."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Both are written in the same order, so that both drop the same token when they are full.
        self._by_text = BoundedDict[str, VerifiedToken](MAX_CACHED_TOKENS)
        self._texts = BoundedDict[str, str](MAX_CACHED_TOKENS)
        self.get = self._by_text.get
        self.removals = 0
        """How many tokens were removed. Read it before you read a token from the storage, and pass it to `add`."""

    def add(self, text: str, token: Token, ends_at: int, removals: int) -> None:
        """Cache a token; do nothing where one was removed since `removals` was read, which may be this one."""
        if removals == self.removals:
            self._by_text.set(text, (token, ends_at))
            self._texts.set(token.id, text)

    def remove(self, token_id: str) -> None:
        """Remove a token, so that the next request verifies it again."""
        self.removals += 1
        text = self._texts.pop(token_id, None)
        if text is not None:
            self._by_text.pop(text, None)

    def depend_on(self, text: str) -> None:
        """Note that the response to the current request depends on a token that was verified for it."""
        request = current_request()
        if request is not None and request.depends_on is not None:
            verified = self.get(text)
            if verified is None:  # a single-use token
                request.depends_on = None
            else:
                request.depends_on.append((text, verified))

    def still_valid(self, depends_on: Iterable[tuple[str, Any]]) -> bool:
        """Return whether every token that a response depends on would be verified again, and be the same."""
        for text, verified in depends_on:
            now = self.get(text)
            if now is None or now is not verified or (now[1] != FOREVER and self._clock() >= now[1]):
                return False
        return True
