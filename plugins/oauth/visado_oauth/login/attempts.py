"""Login attempts: what must be the same when the user comes back from the provider, and that it is used once.

The attempt of a browser is a sealed cookie; its state is a random text. The attempt of a client without cookies is a
sealed state, and the client keeps the verifier. Nothing is stored until an attempt ends.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from visado import Collection, DocumentExists, Host, Query, Sealer
from visado.storage.query import Range

ATTEMPT_SECONDS: Final = 600
USED_COLLECTION: Final = "oauth-used"
_COOKIE, _STATE = "login cookie", "login state"
_MAX_DELETED: Final = 100
"""How many expired documents one use deletes."""


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """An attempt to log in or to link an identity. `ends_at` is in seconds since 1970; `owner` is the linking user."""

    strategy: str
    redirect_uri: str
    ends_at: int
    nonce: str = field(repr=False)
    state: str = field(default="", repr=False)
    verifier: str | None = field(default=None, repr=False)
    challenge: str | None = None
    return_to: str | None = None
    owner: str | None = None
    device: str | None = field(default=None, repr=False)


class LoginAttempts:
    """Seals attempts, opens them again, and lets each be used once."""

    def __init__(self, host: Host, read_secret: Callable[[], str]) -> None:
        self._storage, self._clock = host.storage, host.clock
        self._sealers = {purpose: Sealer(read_secret, f"visado-oauth {purpose}") for purpose in (_COOKIE, _STATE)}
        self._storage.declare(Collection(USED_COLLECTION))

    def _now(self) -> int:
        return self._clock() // 1_000

    def ends_at(self) -> int:
        """Return when an attempt that starts now ends, in seconds since 1970."""
        return self._now() + ATTEMPT_SECONDS

    def cookie(self, attempt: LoginAttempt, *, secure: bool) -> str:
        """Return the `Set-Cookie` value that binds an attempt to a browser."""
        name, text = cookie_name(attempt.state, secure=secure), self._seal(_COOKIE, _as_json(attempt))
        return f"{name}={text}; {_cookie_attributes(secure=secure)}; Max-Age={ATTEMPT_SECONDS}"

    def state(self, attempt: LoginAttempt) -> str:
        """Return a state that contains an attempt, sealed."""
        return self._seal(_STATE, {**_as_json(attempt), "jti": secrets.token_urlsafe(12)})

    def of_browser(self, cookies: Mapping[str, str], state: str, strategy: str, *, secure: bool) -> LoginAttempt | None:
        """Return the attempt of the browser's cookie with this state; None unless it is the strategy's and current.

        Over https only a `__Host-` cookie counts: another host of the domain may have set any other.
        """
        text = cookies.get(cookie_name(state, secure=secure))
        attempt = None if text is None else self._open(_COOKIE, text, strategy)
        if attempt is None or not hmac.compare_digest(attempt.state.encode(), state.encode()):
            return None
        return attempt

    def of_client(self, state: str, strategy: str) -> LoginAttempt | None:
        """Return the attempt that a state contains; None unless it is the strategy's and current."""
        return self._open(_STATE, state, strategy)

    def _seal(self, purpose: str, content: Mapping[str, Any]) -> str:
        return self._sealers[purpose].seal(content, purpose)

    def _open(self, purpose: str, text: str, strategy: str) -> LoginAttempt | None:
        content = self._sealers[purpose].open(text, purpose)
        if content is None:
            return None
        content.pop("jti", None)
        try:
            attempt = LoginAttempt(**content)
        except TypeError:  # sealed by another version of visado
            return None
        return attempt if attempt.strategy == strategy and self._now() < attempt.ends_at else None

    async def use(self, purpose: str, text: str, ends_at: int | None = None) -> bool:
        """Mark a text as used, and return whether it was unused. It is forgotten ten minutes after `ends_at`."""
        await self._delete_expired()
        key = hashlib.sha256(f"{purpose} {text}".encode()).hexdigest()
        expires_at = (self._now() if ends_at is None else ends_at) + ATTEMPT_SECONDS
        try:
            await self._storage.create(USED_COLLECTION, key, {"endsAt": expires_at})
        except DocumentExists:
            return False
        return True

    async def _delete_expired(self) -> None:
        expired = Range("endsAt", lte=self._now())
        page = await self._storage.search(USED_COLLECTION, Query(expired, limit=_MAX_DELETED))
        for key, _ in page.hits:
            await self._storage.delete(USED_COLLECTION, key)


def cookie_name(state: str, *, secure: bool) -> str:
    """Return the name of an attempt's cookie. Each attempt has its own, so that two tabs do not interfere."""
    digest = hashlib.sha256(state.encode()).hexdigest()[:16]
    return f"{'__Host-' if secure else ''}visado-oauth-{digest}"


def clear_cookie(state: str, *, secure: bool) -> str:
    """Return the `Set-Cookie` value that deletes an attempt's cookie."""
    return f"{cookie_name(state, secure=secure)}=; {_cookie_attributes(secure=secure)}; Max-Age=0"


def _cookie_attributes(*, secure: bool) -> str:
    # Lax: the way back from the provider is a navigation from another site.
    return f"Path=/; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"


def _as_json(attempt: LoginAttempt) -> dict[str, Any]:
    return {name: value for name, value in asdict(attempt).items() if value is not None}
