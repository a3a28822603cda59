"""The ways to a provider and back: with a browser, without one, and by device code."""

from __future__ import annotations

import hmac
import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from visado import Fail, Redirect, Request, errors
from visado_oauth.addresses import allowed, receives
from visado_oauth.attempts import Attempt, Attempts, cleared
from visado_oauth.client import Refused, Talk, challenge_of
from visado_oauth.errors import DevicePending, DeviceUnsupported, ProviderFailed, ReturnForbidden
from visado_oauth.guard import Reach, Unreachable
from visado_oauth.identity import Identities, Identity, refusal
from visado_oauth.keys import Forged
from visado_oauth.providers import Granted, Provider

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_LONGEST: Final = 8_192
_SHOWN: Final = 200
_READ: Final = 200
_PENDING: Final = frozenset({"authorization_pending", "slow_down"})
_log = logging.getLogger("visado.oauth")

REFUSED: Final = Fail("The login at the provider did not succeed.")
"""One answer for a state that is not ours, a code that is none, and a user whom nobody knows."""


class Denied(Exception):
    """The way ends here: with this answer, for that reason, which is for the log alone."""

    def __init__(self, reason: str, answer: Fail = REFUSED) -> None:
        super().__init__(reason)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Proved:
    """An identity, proved by its owner in an attempt that is now used up."""

    attempt: Attempt
    identity: Identity
    granted: Granted
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """What a client says: in the body, or over HTTP in the address to which the provider sent its browser."""

    members: Mapping[str, Any]
    from_address: bool

    @staticmethod
    def read(request: Request) -> Given:
        """Read a login."""
        if request.textual and not request.body:
            return Given(request.args, from_address=True)
        return Given(request.fields, from_address=False)

    def text(self, name: str) -> str | None:
        """Read a member. Raises `Denied` where it is no text."""
        value = self.members.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or len(value) > _LONGEST or not value.isprintable() or not value:
            raise Denied(f"{name} is no text")
        return value

    @property
    def comes_back(self) -> bool:
        """Whether this is the second step."""
        return any(self.members.get(name) is not None for name in ("code", "error", "state", "verifier"))


class Flow:
    """The ways to one provider."""

    def __init__(self, attempts: Attempts, talk: Talk, identities: Identities, reach: Reach) -> None:
        self._attempts, self._talk, self._identities, self._reach = attempts, talk, identities, reach

    # -- the way there

    async def begin(self, provider: Provider, request: Request, owner: str | None = None) -> Redirect:
        """Send a client to the provider. `owner` is the user who links an identity."""
        given = Given.read(request)
        if given.members.get("device") is True:
            return await self._begin_device(provider)
        socket = request.connection.transport == "websocket"
        challenge, receiver = given.text("challenge"), given.text("redirectUri")
        attempt = Attempt(
            strategy=provider.name,
            redirect_uri=provider.redirect_uri,
            ends_at=self._attempts.ends_at(),
            nonce=secrets.token_urlsafe(24),
            owner=owner,
        )
        if receiver is not None:
            if not receives(receiver, [provider.redirect_uri, *provider.settings.redirect_uris]):
                raise ReturnForbidden(provider=provider.name, argument="redirectUri")
            attempt = replace(attempt, redirect_uri=receiver)
        if socket or challenge is not None or receiver is not None:
            return self._begin_client(provider, attempt, challenge, socket=socket)
        return_to = self._return_to(provider, given, request)
        return self._begin_browser(provider, replace(attempt, return_to=return_to), secure=request.connection.secure)

    def _return_to(self, provider: Provider, given: Given, request: Request) -> str | None:
        return_to = given.text("return_to") or given.text("returnTo")
        if return_to is None and request.textual and isinstance(request.args.get("return_to"), str):
            return_to = request.args["return_to"]
        if return_to is not None and not allowed(return_to, provider.settings.return_to):
            raise ReturnForbidden(provider=provider.name, argument="return_to")
        return return_to

    def _begin_browser(self, provider: Provider, attempt: Attempt, *, secure: bool) -> Redirect:
        verifier = secrets.token_urlsafe(32)
        attempt = replace(attempt, state=secrets.token_urlsafe(32), verifier=verifier)
        address = self._address(provider, attempt, attempt.state, challenge_of(verifier))
        return Redirect(address, cookies=(self._attempts.cookie(attempt, secure=secure),))

    def _begin_client(self, provider: Provider, attempt: Attempt, challenge: str | None, *, socket: bool) -> Redirect:
        data: dict[str, str] = {}
        if challenge is None:
            verifier = secrets.token_urlsafe(32)
            challenge, data = challenge_of(verifier), {"verifier": verifier}
        elif not _CHALLENGE.fullmatch(challenge):
            raise errors.InvalidArgument(argument="body.challenge", expected="the S256 challenge of a verifier")
        state = self._attempts.state(replace(attempt, challenge=challenge))
        address = self._address(provider, attempt, state, challenge)
        # 200: what fetches this is to read the address, not to follow it.
        return Redirect(address, 302 if socket else _READ, {**data, "location": address, "state": state})

    def _address(self, provider: Provider, attempt: Attempt, state: str, challenge: str) -> str:
        return self._talk.login_address(
            provider,
            state=state,
            redirect_uri=attempt.redirect_uri,
            nonce=attempt.nonce if provider.openid else None,
            code_challenge=challenge if provider.pkce else None,
        )

    # -- the way back

    async def come_back(self, provider: Provider, request: Request, given: Given) -> Proved:
        """Find out who came back. Raises `Denied`, and what talking to the provider raises."""
        attempt, verifier, cookies = self._attempt(provider, request, given)
        try:
            return await self._prove(provider, given, attempt, verifier, cookies)
        except Denied as denied:
            raise Denied(str(denied), replace(denied.answer, cookies=cookies)) from None

    async def _prove(
        self, provider: Provider, given: Given, attempt: Attempt, verifier: str, cookies: tuple[str, ...]
    ) -> Proved:
        state = given.text("state") or ""
        if not await self._attempts.use("state", state, attempt.ends_at):
            raise Denied("the state was used before")
        self._check_sender(provider, given)
        code = given.text("code")
        if given.text("error") is not None or code is None:
            raise Denied("the provider refused", Fail(_said(given)))
        try:
            granted = await self._talk.exchange(provider, code, attempt.redirect_uri, verifier)
            identity = await self._identities.find(provider, granted, attempt.nonce if provider.openid else None)
        except Refused as error:
            raise Denied(f"the provider refused the code or the token: {error.code}") from None
        except Forged as error:
            raise Denied(f"what the provider says cannot be believed: {error}") from None
        return Proved(attempt, self._admitted(provider, identity), granted, cookies)

    def _attempt(self, provider: Provider, request: Request, given: Given) -> tuple[Attempt, str, tuple[str, ...]]:
        state, verifier = given.text("state"), given.text("verifier")
        if state is None:
            raise Denied("there is no state")
        if verifier is not None and not given.from_address:
            attempt = self._attempts.of_client(state, provider.name)
            if attempt is None or attempt.challenge is None or not _VERIFIER.fullmatch(verifier):
                raise Denied("the state is not one of ours")
            if not hmac.compare_digest(challenge_of(verifier), attempt.challenge):
                raise Denied("the verifier is not the one that the client began with")
            return attempt, verifier, ()
        attempt = self._attempts.of_browser(
            request.header("cookie"), state, provider.name, secure=request.connection.secure
        )
        if attempt is None or attempt.verifier is None:
            raise Denied("the state is not of this browser")
        return attempt, attempt.verifier, (cleared(state, secure=request.connection.secure),)

    def _check_sender(self, provider: Provider, given: Given) -> None:
        """Let no provider answer for another (RFC 9207)."""
        issuer = given.text("iss")
        if issuer is None and provider.names_itself and given.from_address:
            raise Denied("the provider did not say who it is")
        multiple = provider.record.issuer_claim is not None and provider.settings.issuer is None
        if issuer is not None and issuer != provider.issuer and not multiple and provider.openid:
            raise Denied("another provider answered")

    def _admitted(self, provider: Provider, identity: Identity) -> Identity:
        missing = refusal(provider, identity.claims)
        if missing is not None:
            raise Denied(f"require.{missing} keeps this user out", Fail("This account may not log in here."))
        return identity

    # -- by device code

    async def _begin_device(self, provider: Provider) -> Redirect:
        if "device_url" not in provider.endpoints:
            raise DeviceUnsupported(provider=provider.name)
        try:
            found = await self._talk.begin_device(provider)
        except Refused as error:
            raise Denied(f"the provider refused the device flow: {error.code}") from None
        place = found.get("verification_uri_complete") or found.get("verification_uri") or found.get("verification_url")
        device, code = found.get("device_code"), found.get("user_code")
        if not (isinstance(place, str) and isinstance(device, str) and isinstance(code, str)):
            raise ProviderFailed(provider=provider.name, reason="its answer holds no device code")
        try:
            self._reach.check_url(place)
        except Unreachable:
            raise ProviderFailed(provider=provider.name, reason="its address for users is not https") from None
        attempt = Attempt(provider.name, "", self._attempts.ends_at(), nonce="", device=device)
        shown = {"location": place, "userCode": code, "device": self._attempts.state(attempt)}
        return Redirect(place, _READ, {**shown, "interval": _interval(found)})

    async def ask_device(self, provider: Provider, given: Given) -> Proved:
        """Find out who entered the code. Raises `DevicePending` until then, and as `come_back` does."""
        text = given.text("device") or ""
        attempt = self._attempts.of_client(text, provider.name)
        if attempt is None or attempt.device is None:
            raise Denied("the device code is not one of ours")
        try:
            granted = await self._talk.ask_device(provider, attempt.device)
            identity = await self._identities.find(provider, granted, None)
        except Refused as error:
            if error.code in _PENDING:
                raise DevicePending(interval=10 if error.code == "slow_down" else 5) from None
            raise Denied(f"the provider refused the device code: {error.code}") from None
        except Forged as error:
            raise Denied(f"what the provider says cannot be believed: {error}") from None
        if not await self._attempts.use("device", text, attempt.ends_at):
            raise Denied("the device code was used before")
        return Proved(attempt, self._admitted(provider, identity), granted)


def _said(given: Given) -> str:
    """Repeat why the provider refused, in its words; they are shown, so they are kept short and plain."""
    for name in ("error_description", "error"):
        value = given.members.get(name)
        if isinstance(value, str) and value:
            return "".join(char for char in value if char.isprintable())[:_SHOWN] or REFUSED.reason
    return REFUSED.reason


def _interval(found: Mapping[str, Any]) -> int:
    value = found.get("interval")
    return value if isinstance(value, int) and 0 < value <= 60 else 5  # noqa: PLR2004
