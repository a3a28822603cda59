"""The device flow (RFC 8628): the user enters a code on another device, and the client asks until it is entered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from visado import Challenge
from visado_oauth.errors import (
    DevicePending,
    DeviceUnsupported,
    OauthError,
    ProviderFailed,
    RequestBlocked,
    TokenRejected,
)
from visado_oauth.login.denials import LoginDenied
from visado_oauth.login.identities import IdentityReader, ProviderIdentity
from visado_oauth.login.provider_requests import ProviderRequests
from visado_oauth.providers.address_guard import AddressGuard
from visado_oauth.providers.provider import Grant, Provider

_PENDING_CODES: Final = frozenset({"authorization_pending", "slow_down"})
_INTERVAL_SECONDS: Final = 5
_SLOW_INTERVAL_SECONDS: Final = 10
_MAX_INTERVAL_SECONDS: Final = 60
_LIFETIME_SECONDS: Final = 600
_MAX_LIFETIME_SECONDS: Final = 3_600
_MAX_TRIES: Final = 1_000
_URL_NAMES: Final = ("verification_uri_complete", "verification_uri", "verification_url")


class DeviceFlow:
    """The device flow at one provider."""

    def __init__(self, requests: ProviderRequests, reader: IdentityReader, guard: AddressGuard) -> None:
        self._requests, self._reader, self._guard = requests, reader, guard

    async def start(self, provider: Provider) -> Challenge:
        """Return the URL and the code for the user. Raises `LoginDenied`, and as `ProviderRequests`."""
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
        interval = _read_seconds(response, "interval", _INTERVAL_SECONDS, _MAX_INTERVAL_SECONDS)
        return Challenge(
            {"location": url, "userCode": code, "interval": interval},
            {"device": device},
            f"Enter the code {code} at {url}",
            lifetime=_read_seconds(response, "expires_in", _LIFETIME_SECONDS, _MAX_LIFETIME_SECONDS),
            tries=_MAX_TRIES,
        )

    async def finish(self, provider: Provider, device_code: str) -> tuple[ProviderIdentity, Grant]:
        """Return the identity of the user who entered the code, and the provider's tokens.

        Raises `DevicePending` until then, `LoginDenied`, and as `ProviderRequests`.
        """
        try:
            grant = await self._requests.exchange_device_code(provider, device_code)
            identity = await self._reader.read(provider, grant, None)
        except OauthError as error:
            if error.code in _PENDING_CODES:
                slow = error.code == "slow_down"
                raise DevicePending(interval=_SLOW_INTERVAL_SECONDS if slow else _INTERVAL_SECONDS) from None
            raise LoginDenied(f"the provider refused the device code: {error.code}") from None
        except TokenRejected as error:
            raise LoginDenied(f"a token of the provider is rejected: {error}") from None
        return identity, grant


def _read_seconds(response: Mapping[str, Any], name: str, default: int, limit: int) -> int:
    value = response.get(name)
    return min(value, limit) if type(value) is int and value > 0 else default
