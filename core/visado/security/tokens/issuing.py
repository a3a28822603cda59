"""Issuing: the lifetime and the text of a new token or API key."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from visado import errors
from visado.request import Fields, Request, Token
from visado.security.tokens.signing import Signer, fingerprint
from visado.settings.durations import FOREVER

MAX_SESSION_TEXT_CHARACTERS: Final = 512


@dataclass(frozen=True, slots=True)
class TokenOrigin:
    """The login that a token comes from: the strategy, and what its success says. `ends_at` in ms since 1970."""

    strategy: str | None = None
    session: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    methods: frozenset[str] = frozenset()
    actor: str | None = None
    ends_at: int | None = None
    allow: frozenset[str] | None = None
    ends_with: tuple[str, ...] = ()
    """What the index of tokens holds besides for the session of another token: this one is revoked with it."""

    def as_fields(self) -> Fields:
        """Return the members of the token's document, without those that say nothing.

        `sessionTexts` holds the texts of the session, which is indexed, so that tokens are found by them.
        """
        texts = [*session_texts(self.strategy, self.session), *self.ends_with]
        fields = {
            "strategy": self.strategy,
            "session": dict(self.session),
            "sessionTexts": texts,
            "methods": sorted(self.methods),
            "actor": self.actor,
            "latestEnd": self.ends_at,
            "allow": None if self.allow is None else sorted(self.allow),
        }
        return {name: value for name, value in fields.items() if value or (name == "allow" and value is not None)}


def session_texts(strategy: str | None, session: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the index of tokens holds for a strategy's session: its members that are texts, and not too long."""
    texts = ((name, each) for name, each in session.items() if isinstance(each, str))
    return tuple(session_text(strategy, name, each) for name, each in texts if len(each) <= MAX_SESSION_TEXT_CHARACTERS)


def session_text(strategy: str | None, name: str, value: str) -> str:
    """Return what the index of tokens holds for a member of a strategy's session."""
    return fingerprint(json.dumps([strategy, name, value]))


def read_origin(document: Mapping[str, Any]) -> TokenOrigin:
    """Return the origin of a stored token."""
    allow = document.get("allow")
    return TokenOrigin(
        document.get("strategy"),
        document.get("session", {}),
        frozenset(document.get("methods", ())),
        document.get("actor"),
        document.get("latestEnd"),
        None if allow is None else frozenset(allow),
    )


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token and its text, which only the response to its creation contains."""

    token: Token
    text: str

    def __repr__(self) -> str:
        return f"<IssuedToken {self.token.id}>"


def check_unlimited(request: Request) -> None:
    """Raise `NotAllowed` where the token of a request may run some actions only: a token that it makes may run all."""
    if request.token is not None and request.token.allow is not None:
        raise errors.NotAllowed(controller=request.controller, action=request.action, user=request.user.id)


def choose_lifetime(requested: int | None, default: int, maximum: int) -> int:
    """Return the lifetime of a token in milliseconds, or -1 for ever. Raises `TtlExceeded`."""
    ttl = default if requested is None else requested
    if maximum != FOREVER and (ttl == FOREVER or ttl > maximum):
        raise errors.TtlExceeded
    return ttl


def make_token_text(
    signer: Signer, prefix: str, user_id: str, ttl: int, now: int, actor: str | None = None
) -> tuple[int, str]:
    """Return when a new token expires, in milliseconds since 1970, and its text.

    The claim `exp` counts whole seconds and is rounded up: the stored document has the milliseconds. The claim `act`
    (RFC 8693) names the user who acts as this user.
    """
    claims: Fields = {"_id": user_id, "iat": now // 1_000, "jti": secrets.token_hex(8)}
    if actor is not None:
        claims["act"] = {"sub": actor}
    expires_at = FOREVER
    if ttl != FOREVER:
        expires_at = now + ttl
        claims["exp"] = math.ceil(expires_at / 1_000)
    return expires_at, signer.sign(prefix, claims)


def make_token(
    token_id: str, user_id: str, expires_at: int, ttl: int, origin: TokenOrigin, *, single_use: bool
) -> Token:
    """Return a token that comes from this login. `expires_at` and `ttl` in ms, -1 for never and for ever."""
    return Token(
        token_id,
        user_id,
        expires_at,
        ttl,
        single_use=single_use,
        strategy=origin.strategy,
        session=origin.session,
        methods=origin.methods,
        actor=origin.actor,
        allow=origin.allow,
        latest_end=origin.ends_at,
    )
