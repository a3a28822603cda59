"""The login flow (authorization code with PKCE): to the provider and back, with a browser or without one."""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import replace
from typing import Final

from visado import Fail, Redirect, Request, errors
from visado_oauth.client import challenge_of, login_url
from visado_oauth.errors import OauthError, ReturnForbidden, TokenRejected
from visado_oauth.login.attempts import LoginAttempt, LoginAttempts, clear_cookie
from visado_oauth.login.identities import IdentityReader
from visado_oauth.login.login_parameters import LoginParameters
from visado_oauth.login.proofs import LOGIN_FAILED, LoginDenied, ProvedIdentity, check_requirements
from visado_oauth.login.provider_requests import ProviderRequests
from visado_oauth.login.return_addresses import may_receive_code, may_return_to
from visado_oauth.providers.provider import Provider

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_STATE_BYTES: Final = 32
_VERIFIER_BYTES: Final = 32
_NONCE_BYTES: Final = 24
_MAX_REASON_CHARACTERS: Final = 200


class LoginFlow:
    """The login flow at one provider."""

    def __init__(self, attempts: LoginAttempts, requests: ProviderRequests, reader: IdentityReader) -> None:
        self._attempts, self._requests, self._reader = attempts, requests, reader

    # -- to the provider

    async def start(
        self, provider: Provider, request: Request, parameters: LoginParameters, owner: str | None = None
    ) -> Redirect:
        """Send a client to the provider. `owner` is the user who links an identity.

        Raises `LoginDenied`, `ReturnForbidden`, `errors.InvalidArgument`.
        """
        on_socket = request.connection.transport == "websocket"
        challenge, receiver = parameters.text("challenge"), parameters.text("redirectUri")
        attempt = LoginAttempt(
            strategy=provider.name,
            redirect_uri=provider.redirect_uri,
            ends_at=self._attempts.ends_at(),
            nonce=secrets.token_urlsafe(_NONCE_BYTES),
            owner=owner,
        )
        if receiver is not None:
            if not may_receive_code(receiver, [provider.redirect_uri, *provider.settings.redirect_uris]):
                raise ReturnForbidden(provider=provider.name, argument="redirectUri")
            attempt = replace(attempt, redirect_uri=receiver)
        if on_socket or challenge is not None or receiver is not None:
            return self._start_client(provider, attempt, challenge, on_socket=on_socket)
        return_to = self._return_to(provider, parameters, request)
        return self._start_browser(provider, replace(attempt, return_to=return_to), secure=request.connection.secure)

    def _return_to(self, provider: Provider, parameters: LoginParameters, request: Request) -> str | None:
        return_to = parameters.text("return_to") or parameters.text("returnTo")
        if return_to is None and request.textual and isinstance(request.args.get("return_to"), str):
            return_to = request.args["return_to"]
        if return_to is not None and not may_return_to(return_to, provider.settings.return_to):
            raise ReturnForbidden(provider=provider.name, argument="return_to")
        return return_to

    def _start_browser(self, provider: Provider, attempt: LoginAttempt, *, secure: bool) -> Redirect:
        verifier = secrets.token_urlsafe(_VERIFIER_BYTES)
        attempt = replace(attempt, state=secrets.token_urlsafe(_STATE_BYTES), verifier=verifier)
        url = self._login_url(provider, attempt, attempt.state, challenge_of(verifier))
        return Redirect(url, cookies=(self._attempts.cookie(attempt, secure=secure),))

    def _start_client(
        self, provider: Provider, attempt: LoginAttempt, challenge: str | None, *, on_socket: bool
    ) -> Redirect:
        data: dict[str, str] = {}
        if challenge is None:
            verifier = secrets.token_urlsafe(_VERIFIER_BYTES)
            challenge, data = challenge_of(verifier), {"verifier": verifier}
        elif not _CHALLENGE.fullmatch(challenge):
            raise errors.InvalidArgument(argument="body.challenge", expected="the S256 challenge of a verifier")
        state = self._attempts.state(replace(attempt, challenge=challenge))
        url = self._login_url(provider, attempt, state, challenge)
        # 200 over HTTP: the client must read the URL, and `fetch` would follow a 302.
        return Redirect(url, status=302 if on_socket else 200, data={**data, "location": url, "state": state})

    def _login_url(self, provider: Provider, attempt: LoginAttempt, state: str, challenge: str) -> str:
        return login_url(
            provider,
            state=state,
            redirect_uri=attempt.redirect_uri,
            nonce=attempt.nonce if provider.openid else None,
            code_challenge=challenge if provider.pkce else None,
        )

    # -- back from the provider

    async def finish(self, provider: Provider, request: Request, parameters: LoginParameters) -> ProvedIdentity:
        """Return the identity of the user who comes back. Raises `LoginDenied`, and as `ProviderRequests`."""
        attempt, verifier, cookies = self._find_attempt(provider, request, parameters)
        try:
            return await self._prove(provider, parameters, attempt, verifier, cookies)
        except LoginDenied as denied:
            raise LoginDenied(str(denied), replace(denied.outcome, cookies=cookies)) from None

    async def _prove(
        self,
        provider: Provider,
        parameters: LoginParameters,
        attempt: LoginAttempt,
        verifier: str,
        cookies: tuple[str, ...],
    ) -> ProvedIdentity:
        if not await self._attempts.use("state", parameters.text("state") or "", attempt.ends_at):
            raise LoginDenied("the state was used before")
        self._check_issuer(provider, parameters)
        code = parameters.text("code")
        if parameters.text("error") is not None or code is None:
            raise LoginDenied("the provider refused the login", Fail(_refusal_text(parameters)))
        try:
            grant = await self._requests.exchange(provider, code, attempt.redirect_uri, verifier)
            identity = await self._reader.read(provider, grant, attempt.nonce if provider.openid else None)
        except OauthError as error:
            raise LoginDenied(f"the provider refused the code or the token: {error.code}") from None
        except TokenRejected as error:
            raise LoginDenied(f"a token of the provider is rejected: {error}") from None
        check_requirements(provider, identity)
        return ProvedIdentity(attempt, identity, grant, cookies)

    def _find_attempt(
        self, provider: Provider, request: Request, parameters: LoginParameters
    ) -> tuple[LoginAttempt, str, tuple[str, ...]]:
        """Return the attempt, its verifier, and the cookies that clear it. Raises `LoginDenied`."""
        state, verifier = parameters.text("state"), parameters.text("verifier")
        if state is None:
            raise LoginDenied("the state is missing")
        if verifier is not None and not parameters.from_url:
            attempt = self._attempts.of_client(state, provider.name)
            if attempt is None or attempt.challenge is None or not _VERIFIER.fullmatch(verifier):
                raise LoginDenied("the state was not issued by this host")
            if not hmac.compare_digest(challenge_of(verifier), attempt.challenge):
                raise LoginDenied("the verifier does not match the challenge of the attempt")
            return attempt, verifier, ()
        secure = request.connection.secure
        attempt = self._attempts.of_browser(request.cookies, state, provider.name, secure=secure)
        if attempt is None or attempt.verifier is None:
            raise LoginDenied("the state does not belong to this browser")
        return attempt, attempt.verifier, (clear_cookie(state, secure=secure),)

    def _check_issuer(self, provider: Provider, parameters: LoginParameters) -> None:
        """Deny the response of another provider (RFC 9207)."""
        issuer = parameters.text("iss")
        if issuer is None and provider.sends_issuer and parameters.from_url:
            raise LoginDenied("the response lacks iss")
        has_many_issuers = provider.record.issuer_claim is not None and provider.settings.issuer is None
        if issuer is not None and issuer != provider.issuer and not has_many_issuers and provider.openid:
            raise LoginDenied("the response is from another provider")


def _refusal_text(parameters: LoginParameters) -> str:
    """Return the provider's reason for a refusal, for the client: printable, and at most 200 characters."""
    for name in ("error_description", "error"):
        value = parameters.members.get(name)
        if isinstance(value, str) and value:
            return "".join(char for char in value if char.isprintable())[:_MAX_REASON_CHARACTERS] or LOGIN_FAILED.reason
    return LOGIN_FAILED.reason
