"""Attempts to log in: what must be the same when the user comes back, and that it happens once.

The state of a browser's attempt is a random text, and all that belongs to it is in a sealed cookie of that browser. The
state of a client without cookies holds the rest itself, sealed; the client keeps the verifier.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from visado import Collection, DocumentExists, Query, Sealer, Storage
from visado.storage.query import Range

LIFETIME: Final = 600
USED: Final = "oauth-used"
_COOKIE, _STATE = "login cookie", "login state"
_PURGED_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to log in, or to link an identity."""

    strategy: str
    redirect_uri: str
    ends_at: int
    nonce: str = field(repr=False)
    state: str = field(default="", repr=False)
    verifier: str | None = field(default=None, repr=False)
    challenge: str | None = None
    return_to: str | None = None
    owner: str | None = None
    """The user who links the identity."""
    device: str | None = field(default=None, repr=False)


class Attempts:
    """Makes attempts, finds them again, and lets each end once."""

    def __init__(
        self, storage: Storage, read_secret: Callable[[], str], clock: Callable[[], float] = time.time
    ) -> None:
        self._storage, self._clock = storage, clock
        self._sealers = {purpose: Sealer(read_secret, f"visado-oauth {purpose}") for purpose in (_COOKIE, _STATE)}
        storage.declare(Collection(USED))

    def ends_at(self) -> int:
        """When an attempt that begins now ends, in seconds."""
        return int(self._clock()) + LIFETIME

    def cookie(self, attempt: Attempt, *, secure: bool) -> str:
        """Write the cookie that binds an attempt to a browser."""
        name, text = cookie_name(attempt.state, secure=secure), self._seal(_COOKIE, _plain(attempt))
        return f"{name}={text}; {_attributes(secure=secure)}; Max-Age={LIFETIME}"

    def state(self, attempt: Attempt) -> str:
        """Seal an attempt as a state of its own."""
        return self._seal(_STATE, {**_plain(attempt), "jti": secrets.token_urlsafe(12)})

    def of_browser(self, header: str | None, state: str, strategy: str, *, secure: bool) -> Attempt | None:
        """Find the attempt of this browser with this state; None unless it is this strategy's, and in time.

        Over https only a `__Host-` cookie counts: any other may have been put there from a neighbouring host.
        """
        # By hand: the parser of the standard library gives up at the first cookie of somebody else that it dislikes.
        parts = (part.strip().partition("=") for part in (header or "").split(";"))
        cookies = {name: text for name, _, text in parts}
        text = cookies.get(cookie_name(state, secure=secure))
        found = None if text is None else self._read(_COOKIE, text, strategy)
        if found is None or not hmac.compare_digest(found.state.encode(), state.encode()):
            return None
        return found

    def of_client(self, state: str, strategy: str) -> Attempt | None:
        """Open an attempt that is its own state; None unless it is this strategy's, and in time."""
        return self._read(_STATE, state, strategy)

    def _seal(self, purpose: str, content: Mapping[str, Any]) -> str:
        return self._sealers[purpose].seal(content, purpose)

    def _read(self, purpose: str, text: str, strategy: str) -> Attempt | None:
        content = self._sealers[purpose].open(text, purpose)
        if content is None:
            return None
        content.pop("jti", None)
        try:
            found = Attempt(**content)
        except TypeError:  # sealed by another version
            return None
        return found if found.strategy == strategy and self._clock() < found.ends_at else None

    async def use(self, purpose: str, text: str, ends_at: int) -> bool:
        """Use something up: whether this is the first time."""
        await self._purge()
        key = hashlib.sha256(f"{purpose} {text}".encode()).hexdigest()
        try:
            await self._storage.create(USED, key, {"endsAt": ends_at + LIFETIME})
        except DocumentExists:
            return False
        return True

    async def _purge(self) -> None:
        ended = Range("endsAt", lte=int(self._clock()))
        page = await self._storage.search(USED, Query(ended, limit=_PURGED_AT_ONCE))
        for key, _ in page.hits:
            await self._storage.delete(USED, key)


def cookie_name(state: str, *, secure: bool) -> str:
    """Name an attempt's cookie: one per attempt, so that two tabs do not disturb each other."""
    digest = hashlib.sha256(state.encode()).hexdigest()[:16]
    return f"{'__Host-' if secure else ''}visado-oauth-{digest}"


def cleared(state: str, *, secure: bool) -> str:
    """Write the cookie that takes an attempt's back."""
    return f"{cookie_name(state, secure=secure)}=; {_attributes(secure=secure)}; Max-Age=0"


def _attributes(*, secure: bool) -> str:
    # Lax, since the way back from the provider is a navigation from another site.
    return f"Path=/; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"


def _plain(attempt: Attempt) -> dict[str, Any]:
    return {name: value for name, value in asdict(attempt).items() if value is not None}
