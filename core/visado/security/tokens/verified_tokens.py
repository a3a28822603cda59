"""A cache of verified tokens, API keys and foreign credentials, so that the next request with one costs a lookup."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

from visado.host import Clock
from visado.request import Token, current_request
from visado.settings.durations import FOREVER
from visado.storage.bounded import BoundedDict

MAX_CACHED_TOKENS: Final = 50_000


TokenKey: TypeAlias = str | tuple[str, str]
"""The text of a token or API key; for a foreign credential, the name of its verifier and a hash.

A tuple, which is never equal to a text: whatever a client sends as a token, it cannot name the credential of another
verifier.
"""
VerifiedToken: TypeAlias = tuple[Token, int]
"""A verified token, and when it stops working in milliseconds since 1970; -1 for never.

A refreshed token stops working before it expires. A plain tuple: each request reads one, and a named tuple is slower to
unpack.
"""


class VerifiedTokens:
    """The verified tokens, API keys and foreign credentials, by their keys. Removed when they are revoked."""

    get: Callable[[TokenKey], VerifiedToken | None]
    """Return the cached token of a key, or None. It may have ended."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Both are written in the same order, so that both drop the same token when they are full.
        self._by_key = BoundedDict[TokenKey, VerifiedToken](MAX_CACHED_TOKENS)
        self._keys = BoundedDict[str, TokenKey](MAX_CACHED_TOKENS)
        self._foreign: dict[str, set[str]] = {}
        self._foreign_ids = 0
        self.get = self._by_key.get
        self.removals = 0
        """How many tokens were removed. Read it before you read a token from the storage, and pass it to `add`."""

    def add(self, text: str, token: Token, ends_at: int, removals: int) -> None:
        """Cache a token; do nothing where one was removed since `removals` was read, which may be this one."""
        if removals == self.removals:
            self._set(text, token, ends_at)

    def _set(self, key: TokenKey, token: Token, ends_at: int) -> None:
        self._by_key.set(key, (token, ends_at))
        self._keys.set(token.id, key)

    def add_foreign(self, key: tuple[str, str], token: Token, ends_at: int) -> None:
        """Cache the token of a foreign credential, unless the caller knows that it was revoked."""
        self._set(key, token, ends_at)
        ids = self._foreign.setdefault(token.user_id, set[str]())
        if token.id not in ids:
            ids.add(token.id)
            self._foreign_ids += 1
            if self._foreign_ids > 2 * MAX_CACHED_TOKENS:
                self._forget_dropped()

    def foreign(self, user_id: str | None = None) -> Iterator[Token]:
        """Yield the cached tokens of foreign credentials; with `user_id`, those of this user."""
        for owner in self._foreign if user_id is None else (user_id,):
            for token_id in self._foreign.get(owner, ()):
                key = self._keys.get(token_id)
                cached = None if key is None else self._by_key.get(key)
                if cached is not None and cached[0].user_id == owner:
                    yield cached[0]

    def _forget_dropped(self) -> None:
        """Forget the ids of foreign tokens that are cached no more, so that their number stays bounded."""
        cached = list(self.foreign())
        self._foreign = {}
        for token in cached:
            self._foreign.setdefault(token.user_id, set[str]()).add(token.id)
        self._foreign_ids = len(cached)

    def remove(self, token_id: str) -> None:
        """Remove a token, so that the next request verifies it again."""
        self.removals += 1
        key = self._keys.pop(token_id, None)
        if key is not None:
            self._by_key.pop(key, None)

    def depend_on(self, key: TokenKey) -> None:
        """Note that the response to the current request depends on a token that was verified for it."""
        request = current_request()
        if request is not None and request.depends_on is not None:
            verified = self.get(key)
            if verified is None:  # a single-use token
                request.depends_on = None
            else:
                request.depends_on.append((key, verified))

    def still_valid(self, depends_on: Iterable[tuple[TokenKey, Any]]) -> bool:
        """Return whether every token that a response depends on would be verified again, and be the same."""
        for key, verified in depends_on:
            now = self.get(key)
            if now is None or now is not verified or (now[1] != FOREVER and self._clock() >= now[1]):
                return False
        return True
