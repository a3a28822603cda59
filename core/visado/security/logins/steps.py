"""The further steps of strategies: a redirect or a challenge waits until the same client brings its reference back."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from visado import errors, events
from visado.request import REFERENCE_PREFIX, Fields, Request, Token
from visado.security.logins.pending_logins import PendingLogins
from visado.security.observers import Observers
from visado.security.strategies.strategies import Strategies
from visado.security.tokens.signing import fingerprint
from visado.strategy import Challenge, Redirect

COOKIE: Final = "visado-login"
CROSS_SITE_COOKIE: Final = "visado-login-post"
"""The cookie of strategies whose answers pages of other sites post."""
COOKIE_SECONDS: Final = 3_600
_UNKNOWN: Final = "the challenge is unknown, used or too old: log in again"
_BROWSER: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class LoginStart:
    """How a login began: with which strategy, when in ms since 1970, and to which user it links an identity, if any.

    `lifetime` is that of the token as the client sent it. `owner_token` is the id of the token with which the owner
    started the link.
    """

    asked: str
    at: int
    owner: str | None = None
    lifetime: Any = None
    owner_token: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A pending login whose reference a request brought back. `check` is the login check that challenged, or None."""

    reference: str = field(repr=False)
    strategy: str
    state: Fields = field(repr=False)
    tries: int
    check: str | None
    user_id: str | None
    lifetime: Any
    pending: Mapping[str, Any] = field(repr=False)

    @property
    def start(self) -> LoginStart:
        """How the login of a strategy's step began."""
        pending = self.pending
        return LoginStart(
            pending["asked"], pending["startedAt"], pending["owner"], self.lifetime, pending["ownerToken"]
        )

    def may_answer(self, user_id: str) -> bool:
        """Return whether this user may answer the step: the challenge of a link is answered by who started the link.

        Otherwise a user could have somebody else answer it, and take the identity of the other.
        """
        return not self.pending.get("ownerAnswers") or user_id == self.pending["owner"]

    @property
    def is_bound(self) -> bool:
        """Whether the request is known to come from the browser that started the login."""
        return self.pending.get("browser") is not None


class Steps:
    """The pending steps of strategies and login checks."""

    def __init__(self, pending: PendingLogins, strategies: Strategies, observers: Observers) -> None:
        self._pending, self._strategies, self._observers = pending, strategies, observers

    def start(self, asked: str, lifetime: Any, owner: str | None, token: Token | None) -> LoginStart:
        """Return the start of a login that begins now. `token` is that of the owner."""
        return LoginStart(asked, self._pending.now(), owner, lifetime, None if token is None else token.id)

    async def find(self, request: Request, name: str) -> Step | None:
        """Return the step that a request of a login with a strategy answers, and use up one try; None for a new login.

        Raises `LoginRefused` for a reference that is unknown, used, too old, of another strategy or another client.
        """
        reference = self._reference(request, name)
        if reference is None:
            return None
        pending = await self._pending.get(reference)
        if (
            pending is None
            or name not in (pending["strategy"], pending["asked"])
            or not _is_same_client(pending, request)
        ):
            raise errors.LoginRefused(reason=_UNKNOWN)
        if not await self._pending.use(reference, pending):
            raise errors.LoginRefused(reason=_UNKNOWN)
        return Step(
            reference=reference,
            strategy=pending["strategy"],
            state=dict(pending["state"]),
            tries=pending["tries"],
            check=pending["check"],
            user_id=pending["userId"],
            lifetime=pending["expiresIn"],
            pending=pending,
        )

    def _reference(self, request: Request, name: str) -> str | None:
        for reference in (request.fields.get("challenge"), self._strategies.reference(name, request)):
            if isinstance(reference, str) and reference.startswith(REFERENCE_PREFIX):
                return reference
        return None

    async def finish(self, step: Step) -> None:
        """Delete a step that was answered. Raises `LoginRefused` where another request answered it at the same time."""
        if step.pending["repeats"] and not await self._pending.finish(step.reference):
            raise errors.LoginRefused(reason=_UNKNOWN)

    async def redirect(self, request: Request, strategy: str, redirect: Redirect, start: LoginStart) -> Redirect:
        """Store the state of a redirect, and return the redirect with the cookie that binds it to the browser."""
        if redirect.state is None:
            return redirect
        fields = _fields(strategy, redirect.state, 1, start)
        cookies = redirect.cookies
        connection = request.connection
        if redirect.same_client and connection.transport == "websocket":
            fields["socket"] = connection.id
        elif redirect.same_client:
            crosses = bool(self._strategies.find(strategy).posts_from)
            name = _cookie_name(request, crosses=crosses)
            browser = request.cookies.get(name, "")
            if not _BROWSER.fullmatch(browser):  # a value of another application's or of nobody's making
                browser = secrets.token_urlsafe(32)
            fields["browser"] = fingerprint(browser)
            cookies = (*cookies, _cookie(name, browser, request, crosses=crosses))
        await self._pending.create(request.reference, redirect.lifetime, fields)
        return replace(redirect, cookies=cookies)

    async def challenge(
        self, request: Request, strategy: str, challenge: Challenge, start: LoginStart
    ) -> errors.LoginChallenged:
        """Store the challenge of a strategy, and return the error that tells the client of it."""
        fields = _fields(strategy, challenge.state, challenge.tries, start) | {"ownerAnswers": start.owner is not None}
        ends_at = await self._pending.create(request.reference, challenge.lifetime, fields)
        self._observers.note(events.LoginChallenged(target=None, strategy=strategy, check=None))
        public = {"reference": request.reference, "check": None, "strategy": strategy, "expiresAt": ends_at}
        error = errors.LoginChallenged(challenge.reason, {**public, "data": dict(challenge.data)})
        error.cookies, error.www_authenticate = challenge.cookies, challenge.www_authenticate
        return error


def _fields(strategy: str, state: Mapping[str, Any], tries: int, start: LoginStart) -> Fields:
    return {
        "asked": start.asked,
        "startedAt": start.at,
        "strategy": strategy,
        "state": dict(state),
        "tries": tries,
        "check": None,
        "userId": None,
        "owner": start.owner,
        "ownerToken": start.owner_token,
        "expiresIn": start.lifetime,
    }


def _is_same_client(pending: Mapping[str, Any], request: Request) -> bool:
    """Return whether the request comes from the browser or the WebSocket to which a pending login is bound, if any."""
    socket, browser = pending.get("socket"), pending.get("browser")
    if socket is not None:
        return request.connection.transport == "websocket" and socket == request.connection.id
    if browser is None:
        return True
    names = (_cookie_name(request, crosses=crosses) for crosses in (False, True))
    sent = (request.cookies.get(name) for name in names)
    return any(each is not None and secrets.compare_digest(fingerprint(each), browser) for each in sent)


def _cookie_name(request: Request, *, crosses: bool) -> str:
    # Over https only a `__Host-` cookie counts: another host of the domain may have set any other.
    return f"{'__Host-' if request.connection.secure else ''}{CROSS_SITE_COOKIE if crosses else COOKIE}"


def _cookie(name: str, browser: str, request: Request, *, crosses: bool) -> str:
    """Return the `Set-Cookie` value that binds pending logins to a browser.

    `SameSite=None` where a page of another site posts the answer; browsers take it over https and on loopback alone.
    """
    same_site = "SameSite=None; Secure" if crosses else f"SameSite=Lax{'; Secure' if request.connection.secure else ''}"
    return f"{name}={browser}; Path=/; HttpOnly; {same_site}; Max-Age={COOKIE_SECONDS}"
