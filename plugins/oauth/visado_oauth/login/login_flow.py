"""The login flow (authorization code with PKCE): to the provider and back, with a browser or without one.

The host keeps the state between the two requests. It lets a browser alone use the state, by a cookie; a client without
cookies proves by the verifier that it started the login.
"""

from __future__ import annotations

import re
import secrets
from typing import Any, Final

from visado import Fail, Fields, Redirect, Request, errors
from visado_oauth.client import challenge_of, login_url
from visado_oauth.errors import OauthError, ReturnForbidden, TokenRejected
from visado_oauth.login.denials import LOGIN_FAILED, LoginDenied
from visado_oauth.login.identities import IdentityReader, ProviderIdentity
from visado_oauth.login.login_parameters import LoginParameters, client_state
from visado_oauth.login.provider_requests import ProviderRequests
from visado_oauth.login.return_addresses import may_receive_code, may_return_to
from visado_oauth.providers.provider import Grant, Provider

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER_BYTES: Final = 32
_NONCE_BYTES: Final = 24
_MAX_REASON_CHARACTERS: Final = 200


class LoginFlow:
    """The login flow at one provider."""

    def __init__(self, requests: ProviderRequests, reader: IdentityReader) -> None:
        self._requests, self._reader = requests, reader

    # -- to the provider

    def start(self, provider: Provider, request: Request, parameters: LoginParameters) -> Redirect:
        """Send a client to the provider. Raises `LoginDenied`, `ReturnForbidden`, `errors.InvalidArgument`."""
        on_socket = request.connection.transport == "websocket"
        challenge, receiver = parameters.text("challenge"), parameters.text("redirectUri")
        state: Fields = {"nonce": secrets.token_urlsafe(_NONCE_BYTES), "redirectUri": provider.redirect_uri}
        if receiver is not None:
            if not may_receive_code(receiver, [provider.redirect_uri, *provider.settings.redirect_uris]):
                raise ReturnForbidden(provider=provider.name, argument="redirectUri")
            state["redirectUri"] = receiver
        if on_socket or challenge is not None or receiver is not None:
            return _start_client(provider, request.reference, state, challenge, on_socket=on_socket)
        return_to = _return_to(provider, parameters, request)
        verifier = secrets.token_urlsafe(_VERIFIER_BYTES)
        url = _login_url(provider, state, request.reference, challenge_of(verifier))
        return Redirect(url, state={**state, "verifier": verifier, "returnTo": return_to})

    # -- back from the provider

    async def finish(
        self, provider: Provider, parameters: LoginParameters, state: Fields
    ) -> tuple[ProviderIdentity, Grant]:
        """Return the identity of the user who comes back, and the provider's tokens.

        `state` is that of the redirect, unused until now. Raises `LoginDenied`, and as `ProviderRequests`.
        """
        verifier = _find_verifier(parameters, state)
        _check_issuer(provider, parameters, in_browser="verifier" in state)
        code = parameters.text("code")
        if parameters.text("error") is not None or code is None:
            raise LoginDenied("the provider refused the login", Fail(_refusal_text(parameters)))
        try:
            grant = await self._requests.exchange(provider, code, state["redirectUri"], verifier)
            identity = await self._reader.read(provider, grant, state["nonce"] if provider.openid else None)
        except OauthError as error:
            raise LoginDenied(f"the provider refused the code or the token: {error.code}") from None
        except TokenRejected as error:
            raise LoginDenied(f"a token of the provider is rejected: {error}") from None
        return identity, grant


def _start_client(
    provider: Provider, reference: str, state: Fields, challenge: str | None, *, on_socket: bool
) -> Redirect:
    data: dict[str, str] = {}
    if challenge is None:
        verifier = secrets.token_urlsafe(_VERIFIER_BYTES)
        challenge, data = challenge_of(verifier), {"verifier": verifier}
    elif not _CHALLENGE.fullmatch(challenge):
        raise errors.InvalidArgument(argument="body.challenge", expected="the S256 challenge of a verifier")
    text = client_state(reference, challenge)
    url = _login_url(provider, state, text, challenge)
    return Redirect(
        url,
        state={**state, "challenge": challenge},
        same_client=False,  # the verifier proves the client
        status=302 if on_socket else 200,  # over HTTP the client must read the URL, and `fetch` would follow a 302
        data={**data, "location": url, "state": text},
    )


def _login_url(provider: Provider, state: Fields, text: str, challenge: str) -> str:
    return login_url(
        provider,
        state=text,
        redirect_uri=state["redirectUri"],
        nonce=state["nonce"] if provider.openid else None,
        code_challenge=challenge if provider.pkce else None,
    )


def _return_to(provider: Provider, parameters: LoginParameters, request: Request) -> str | None:
    return_to = parameters.text("return_to") or parameters.text("returnTo")
    if return_to is None and request.textual and isinstance(request.args.get("return_to"), str):
        return_to = request.args["return_to"]
    if return_to is not None and not may_return_to(return_to, provider.settings.return_to):
        raise ReturnForbidden(provider=provider.name, argument="return_to")
    return return_to


def _find_verifier(parameters: LoginParameters, state: Fields) -> str:
    """Return the verifier of a login. Raises `LoginDenied` unless the client has the one of its challenge."""
    stored: Any = state.get("verifier")
    if isinstance(stored, str):  # of a browser: the host has checked that it is the same
        return stored
    verifier = parameters.verifier
    if verifier is None or challenge_of(verifier) != state["challenge"]:
        raise LoginDenied("the verifier does not match the challenge of the attempt")
    return verifier


def _check_issuer(provider: Provider, parameters: LoginParameters, *, in_browser: bool) -> None:
    """Deny the response of another provider (RFC 9207)."""
    issuer = parameters.text("iss")
    if issuer is None and provider.sends_issuer and in_browser:
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
