"""The requests that logins send to one provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from visado_oauth.client import ProviderClient, authenticate_client, token_request
from visado_oauth.errors import ProviderFailed
from visado_oauth.openid.json_values import is_object
from visado_oauth.providers.provider import Grant, Provider
from visado_oauth.providers.record_schema import ProfileRequest

_FORM: Final = "application/x-www-form-urlencoded"
_DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_TOKENS: Final = ("access_token", "id_token", "refresh_token")


class ProviderRequests:
    """Exchanges codes, refreshes, revokes, and asks for the user's data.

    Every method raises `OauthError`, `ProviderFailed`, `ProviderTimeout`.
    """

    def __init__(self, client: ProviderClient) -> None:
        self._client = client

    async def exchange(self, provider: Provider, code: str, redirect_uri: str, verifier: str | None) -> Grant:
        """Exchange a code for tokens."""
        proof = {"code_verifier": verifier} if verifier and provider.pkce else {}
        return await self._grant(provider, "authorization_code", redirect_uri=redirect_uri, code=code, **proof)

    async def refresh(self, provider: Provider, refresh_token: str) -> Grant:
        """Exchange a refresh token for new tokens."""
        return await self._grant(provider, "refresh_token", refresh_token=refresh_token)

    async def start_device(self, provider: Provider) -> Mapping[str, Any]:
        """Start the device flow, and return the provider's response."""
        scope = provider.record.scope_separator.join(provider.scopes)
        return await self._post(provider, "device_url", f"scope={quote(scope)}")

    async def exchange_device_code(self, provider: Provider, device_code: str) -> Grant:
        """Exchange a device code for tokens: `OauthError` with `authorization_pending` until the user enters it."""
        return await self._grant(provider, _DEVICE_GRANT, device_code=device_code)

    async def revoke(self, provider: Provider, refresh_token: str) -> None:
        """Revoke a refresh token."""
        body = f"token={quote(refresh_token)}&token_type_hint=refresh_token"
        await self._post(provider, "revoke_url", body)

    async def userinfo(self, provider: Provider, access_token: str) -> Mapping[str, Any]:
        """Return the claims of UserInfo."""
        wanted = ProfileRequest.model_validate({"url": provider.url("userinfo_url")})
        claims = await self.profile(provider, wanted, access_token)
        if not is_object(claims):
            raise ProviderFailed(provider=provider.name, reason="its user information is not a JSON object")
        return claims

    async def profile(self, provider: Provider, wanted: ProfileRequest, access_token: str) -> Any:
        """Send a request of the record, and return the response."""
        headers = {name: text.replace("{client_id}", provider.client.id) for name, text in wanted.headers.items()}
        url, sent = wanted.url, dict[str, Any]()
        if wanted.token == "header":  # noqa: S105 - where the token is sent
            headers["authorization"] = f"Bearer {access_token}"
        else:
            url += ("&" if "?" in url else "?") + "access_token=" + quote(access_token, safe="")
        if wanted.body is not None:
            sent["json"] = wanted.body
        return await self._client.request(provider.name, wanted.method, url, headers=headers, **sent)

    async def _grant(self, provider: Provider, grant_type: str, **params: str) -> Grant:
        response = await self._post(provider, "token_url", token_request(grant_type, **params))
        rest = {name: value for name, value in response.items() if not name.endswith("_token")}
        texts = [response.get(name) for name in _TOKENS]
        access, id_token, refresh = (each if isinstance(each, str) and each else None for each in texts)
        if access is None:
            raise ProviderFailed(provider=provider.name, reason="its response has no access token")
        return Grant(access, id_token, refresh, rest)

    async def _post(self, provider: Provider, endpoint: str, body: str) -> Mapping[str, Any]:
        url = provider.url(endpoint)
        headers, body = authenticate_client(provider, url, {"content-type": _FORM}, body)
        response = await self._client.request(provider.name, "POST", url, headers=headers, content=body)
        if not is_object(response):
            raise ProviderFailed(provider=provider.name, reason="its response is not a JSON object")
        return response


def logout_url(provider: Provider) -> str:
    """Return the URL of the provider's logout page (OpenID RP-Initiated Logout)."""
    url, back = provider.url("end_session_url"), provider.settings.after_logout
    query = urlencode({"client_id": provider.client.id} | ({"post_logout_redirect_uri": back} if back else {}))
    return f"{url}{'&' if '?' in url else '?'}{query}"
