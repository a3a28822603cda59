"""The device flow (RFC 8628): the user enters a code on another device, and the client asks until it is entered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from visado import Redirect
from visado_oauth.errors import (
    DevicePending,
    DeviceUnsupported,
    OauthError,
    ProviderFailed,
    RequestBlocked,
    TokenRejected,
)
from visado_oauth.login.attempts import LoginAttempt, LoginAttempts
from visado_oauth.login.identities import IdentityReader
from visado_oauth.login.login_parameters import LoginParameters
from visado_oauth.login.proofs import LoginDenied, ProvedIdentity, check_requirements
from visado_oauth.login.provider_requests import ProviderRequests
from visado_oauth.providers.address_guard import AddressGuard
from visado_oauth.providers.provider import Provider

_PENDING_CODES: Final = frozenset({"authorization_pending", "slow_down"})
_INTERVAL_SECONDS: Final = 5
_SLOW_INTERVAL_SECONDS: Final = 10
_MAX_INTERVAL_SECONDS: Final = 60
_URL_NAMES: Final = ("verification_uri_complete", "verification_uri", "verification_url")


class DeviceFlow:
    """The device flow at one provider."""

    def __init__(
        self, attempts: LoginAttempts, requests: ProviderRequests, reader: IdentityReader, guard: AddressGuard
    ) -> None:
        self._attempts, self._requests, self._reader, self._guard = attempts, requests, reader, guard

    async def start(self, provider: Provider) -> Redirect:
        """Return the URL and the code for the user, as data. Raises `LoginDenied`, and as `ProviderRequests`."""
        if "device_url" not in provider.endpoints:
            raise DeviceUnsupported(provider=provider.name)
        try:
            response = await self._requests.start_device(provider)
        except OauthError as error:
            raise LoginDenied(f"the provider refused the device flow: {error.code}") from None
        url = next((response[name] for name in _URL_NAMES if response.get(name)), None)
        device, code = response.get("device_code"), response.get("user_code")
        if not (isinstance(url, str) and isinstance(device, str) and isinstance(code, str)):
            raise ProviderFailed(provider=provider.name, reason="its response has no device code")
        try:
            self._guard.check_url(url)
        except RequestBlocked:
            raise ProviderFailed(provider=provider.name, reason="its URL for users is not https") from None
        attempt = LoginAttempt(provider.name, "", self._attempts.ends_at(), nonce="", device=device)
        data = {"location": url, "userCode": code, "device": self._attempts.state(attempt)}
        return Redirect(url, status=200, data={**data, "interval": _interval(response)})

    async def finish(self, provider: Provider, parameters: LoginParameters) -> ProvedIdentity:
        """Return the identity of the user who entered the code.

        Raises `DevicePending` until then, `LoginDenied`, and as `ProviderRequests`.
        """
        text = parameters.text("device") or ""
        attempt = self._attempts.of_client(text, provider.name)
        if attempt is None or attempt.device is None:
            raise LoginDenied("the device code was not issued by this host")
        try:
            grant = await self._requests.exchange_device_code(provider, attempt.device)
            identity = await self._reader.read(provider, grant, None)
        except OauthError as error:
            if error.code in _PENDING_CODES:
                slow = error.code == "slow_down"
                raise DevicePending(interval=_SLOW_INTERVAL_SECONDS if slow else _INTERVAL_SECONDS) from None
            raise LoginDenied(f"the provider refused the device code: {error.code}") from None
        except TokenRejected as error:
            raise LoginDenied(f"a token of the provider is rejected: {error}") from None
        if not await self._attempts.use("device", text, attempt.ends_at):
            raise LoginDenied("the device code was used before")
        check_requirements(provider, identity)
        return ProvedIdentity(attempt, identity, grant)


def _interval(response: Mapping[str, Any]) -> int:
    value = response.get("interval")
    return value if isinstance(value, int) and 0 < value <= _MAX_INTERVAL_SECONDS else _INTERVAL_SECONDS
