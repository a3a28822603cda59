# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Talking to providers: the one module that touches Authlib and httpx.

Authlib knows the protocol: addresses, bodies, client authentication, assertions. httpx carries it, through a transport
that connects only to addresses which were looked at, follows no redirect, and reads no more than a megabyte.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote, urlencode, urlsplit

import httpx
from authlib.oauth2.auth import ClientAuth  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749.parameters import (  # type: ignore[import-untyped]
    prepare_grant_uri,
    prepare_token_request,
)
from authlib.oauth2.rfc7523 import private_key_jwt_sign  # type: ignore[import-untyped]
from authlib.oauth2.rfc7523.assertion import sign_jwt_bearer_assertion  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from typing_extensions import override

from visado_oauth.catalogue import ProfileRequest
from visado_oauth.errors import ProviderFailed, ProviderTimeout
from visado_oauth.guard import Reach, Unreachable
from visado_oauth.keys import private_key
from visado_oauth.providers import Granted, Provider
from visado_oauth.values import is_object

_MOST: Final = 1_048_576
_FAILED: Final = 500
_REFUSED: Final = 400
_REDIRECTS: Final = 300
_WORD: Final = 64
_FORM: Final = "application/x-www-form-urlencoded"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_DEVICE: Final = "urn:ietf:params:oauth:grant-type:device_code"
_HEADERS: Final = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "visado-oauth"}


class Refused(Exception):
    """The provider answered with an OAuth error: `code` is one of the protocol's words."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def challenge_of(verifier: str) -> str:
    """Compute the S256 challenge of a verifier."""
    return str(create_s256_code_challenge(verifier))


class Http:
    """Requests to providers, within their bounds."""

    def __init__(self, reach: Reach, timeout: float, ca_file: Path | None = None) -> None:
        self._timeout = timeout
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        self._transport = _Guarded(reach, context)
        self._asking: set[asyncio.Task[httpx.Response]] = set()

    async def ask(self, provider: str, method: str, url: str, **sent: Any) -> Any:
        """Send a request, and read its JSON. Raises `Refused`, `ProviderFailed`, `ProviderTimeout`."""
        return _read(provider, await self._send(provider, method, url, sent))

    async def probe(self, provider: str, url: str) -> tuple[int, float | None]:
        """Ask what an address answers: the status, and the time there. Raises `ProviderFailed`, `ProviderTimeout`."""
        response = await self._send(provider, "GET", url, {}, probe=True)
        try:
            date = parsedate_to_datetime(response.headers.get("date", "")).timestamp()
        except ValueError:
            return response.status_code, None
        return response.status_code, date

    async def close(self) -> None:
        """Wait for what is still being asked; each question ends in time."""
        await asyncio.gather(*self._asking, return_exceptions=True)

    async def _send(
        self, provider: str, method: str, url: str, sent: dict[str, Any], *, probe: bool = False
    ) -> httpx.Response:
        # A task of its own, not cancelled with who asks: a connection given up half made would be left open.
        asking = asyncio.create_task(self._exchange(provider, method, url, sent, probe=probe))
        self._asking.add(asking)
        asking.add_done_callback(self._done)
        return await asyncio.shield(asking)

    def _done(self, asking: asyncio.Task[httpx.Response]) -> None:
        self._asking.discard(asking)
        if not asking.cancelled():
            asking.exception()  # looked at, though whoever asked may be gone

    async def _exchange(
        self, provider: str, method: str, url: str, sent: dict[str, Any], *, probe: bool
    ) -> httpx.Response:
        sent["headers"] = {**_HEADERS, **sent.get("headers", {})}
        try:
            async with asyncio.timeout(self._timeout):
                # Past httpx.AsyncClient, which logs addresses, keeps cookies and reads the environment.
                response = await self._transport.handle_async_request(httpx.Request(method, url, **sent))
                try:
                    if not probe:
                        await response.aread()
                finally:
                    await response.aclose()
        except TimeoutError:
            raise ProviderTimeout(provider=provider, seconds=self._timeout) from None
        except Unreachable as error:
            raise ProviderFailed(provider=provider, reason=str(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ssl.SSLError) as error:  # their texts hold addresses
            raise ProviderFailed(provider=provider, reason=f"it cannot be asked ({type(error).__name__})") from None
        return response

    async def get(self, provider: str, url: str) -> Mapping[str, Any]:
        """Ask for a public document. Raises as `ask` does."""
        found = await self.ask(provider, "GET", url)
        if not is_object(found):
            raise ProviderFailed(provider=provider, reason="its answer is no JSON object")
        return found


def _read(provider: str, response: httpx.Response) -> Any:
    try:
        found: Any = json.loads(response.content) if response.content else {}
    except (ValueError, RecursionError):
        found = None
    refusal = found.get("error") if is_object(found) else None
    if is_object(refusal):  # Facebook and Google answer with an object
        refusal = refusal.get("type") or "error"
    if response.status_code < _FAILED and isinstance(refusal, str) and refusal:
        raise Refused(refusal[:_WORD] if refusal.isascii() and refusal.isprintable() else "error")
    if response.status_code >= _FAILED:
        raise ProviderFailed(provider=provider, reason=f"it answered {response.status_code}")
    if response.status_code >= _REFUSED:
        raise Refused(f"http_{response.status_code}")
    if found is None:
        raise ProviderFailed(provider=provider, reason="its answer is no JSON")
    return found


class Talk:
    """What is said to one provider."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def login_address(self, provider: Provider, **params: str | None) -> str:
        """Make the address where a user logs in. `params` are state, redirect_uri, nonce, code_challenge."""
        given: dict[str, Any] = {**provider.record.params, **provider.settings.params, **params}
        if given.get("code_challenge"):
            given["code_challenge_method"] = "S256"
        if provider.client.id_param != "client_id":
            given[provider.client.id_param] = provider.client.id
        scope = provider.record.scope_separator.join(provider.scopes) or None
        address, fragment = provider.url("authorize_url"), ""
        if "#" in address:  # WeChat insists on one
            address, _, fragment = address.partition("#")
        made = str(prepare_grant_uri(address, provider.client.id, "code", scope=scope, **given))
        return f"{made}#{fragment}" if fragment else made

    def logout_address(self, provider: Provider) -> str:
        """Make the address where a user logs out (OpenID RP-Initiated Logout)."""
        url, back = provider.url("end_session_url"), provider.settings.after_logout
        query = urlencode({"client_id": provider.client.id} | ({"post_logout_redirect_uri": back} if back else {}))
        return f"{url}{'&' if '?' in url else '?'}{query}"

    async def exchange(self, provider: Provider, code: str, redirect_uri: str, verifier: str | None) -> Granted:
        """Turn a code into tokens. Raises `Refused`, `ProviderFailed`, `ProviderTimeout`."""
        proof = {"code_verifier": verifier} if verifier and provider.pkce else {}
        body = prepare_token_request("authorization_code", redirect_uri=redirect_uri, code=code, **proof)
        return self._granted(provider, await self._post(provider, provider.url("token_url"), str(body)))

    async def renew(self, provider: Provider, refresh_token: str) -> Granted:
        """Turn a refresh token into new tokens. Raises as `exchange` does."""
        body = prepare_token_request("refresh_token", refresh_token=refresh_token)
        return self._granted(provider, await self._post(provider, provider.url("token_url"), str(body)))

    async def begin_device(self, provider: Provider) -> Mapping[str, Any]:
        """Begin the device flow. Raises as `exchange` does."""
        scope = provider.record.scope_separator.join(provider.scopes)
        body = f"scope={quote(scope)}"
        return await self._post(provider, provider.url("device_url"), body)

    async def ask_device(self, provider: Provider, device_code: str) -> Granted:
        """Ask whether the user has entered the code. Raises `Refused` with `authorization_pending` until then."""
        body = prepare_token_request(_DEVICE, device_code=device_code)
        return self._granted(provider, await self._post(provider, provider.url("token_url"), str(body)))

    async def revoke(self, provider: Provider, refresh_token: str) -> None:
        """Take a refresh token back. Raises as `exchange` does."""
        body = f"token={quote(refresh_token)}&token_type_hint=refresh_token"
        await self._post(provider, provider.url("revoke_url"), body)

    async def userinfo(self, provider: Provider, access_token: str) -> Mapping[str, Any]:
        """Ask who the user is. Raises as `exchange` does."""
        asked = ProfileRequest.model_validate({"url": provider.url("userinfo_url")})
        found = await self.profile(provider, asked, access_token)
        if not is_object(found):
            raise ProviderFailed(provider=provider.name, reason="its answer about the user is no JSON object")
        return found

    async def profile(self, provider: Provider, asked: ProfileRequest, access_token: str) -> Any:
        """Ask one of a record's questions. Raises as `exchange` does."""
        headers = {name: text.replace("{client_id}", provider.client.id) for name, text in asked.headers.items()}
        url, sent = asked.url, dict[str, Any]()
        if asked.token == "header":  # noqa: S105 - where it goes
            headers["authorization"] = f"Bearer {access_token}"
        else:
            url += ("&" if "?" in url else "?") + "access_token=" + quote(access_token, safe="")
        if asked.body is not None:
            sent["json"] = asked.body
        return await self._http.ask(provider.name, asked.method, url, headers=headers, **sent)

    async def _post(self, provider: Provider, url: str, body: str) -> Mapping[str, Any]:
        headers, body = self._signed(provider, url, {"content-type": _FORM}, body)
        found = await self._http.ask(provider.name, "POST", url, headers=headers, content=body)
        if not is_object(found):
            raise ProviderFailed(provider=provider.name, reason="its answer is no JSON object")
        return found

    def _signed(
        self, provider: Provider, url: str, headers: dict[str, str], body: str
    ) -> tuple[Mapping[str, str], str]:
        """Show the provider who asks."""
        client = provider.client
        if client.auth == "private_key_jwt":
            return headers, _add(body, client_id=client.id, **_assertion(provider))
        if client.auth in {"signed_secret", "client_secret_post"} and client.id_param != "client_id":
            return headers, _add(body, **{client.id_param: client.id, client.secret_param: client.secret or ""})
        if client.auth == "client_secret_basic":  # RFC 6749, 2.3.1: encoded as in a form, before base64
            shown = ClientAuth(quote(client.id, safe=""), quote(client.secret or "", safe=""), client.auth)
        elif client.auth == "signed_secret":
            shown = ClientAuth(client.id, _signed_secret(provider), "client_secret_post")
        else:
            shown = ClientAuth(client.id, client.secret, client.auth or "client_secret_basic")
        _, made, content = shown.prepare("POST", url, headers, body)
        return made, str(content)

    def _granted(self, provider: Provider, found: Mapping[str, Any]) -> Granted:
        rest = {name: value for name, value in found.items() if not name.endswith("_token")}
        texts = [found.get(name) for name in ("access_token", "id_token", "refresh_token")]
        access, id_token, refresh = (each if isinstance(each, str) and each else None for each in texts)
        if access is None:
            raise ProviderFailed(provider=provider.name, reason="its answer holds no access token")
        return Granted(access, id_token, refresh, rest)


def _add(body: str, **members: str) -> str:
    return "&".join([body, *(f"{name}={quote(value, safe='')}" for name, value in members.items())])


def _assertion(provider: Provider) -> dict[str, str]:
    """Sign who we are (RFC 7523), for the issuer where there is one: a token of ours is of no use elsewhere."""
    key, header = private_key(provider.client.private_key or "", provider.client.key_id)
    audience = provider.issuer if provider.openid else provider.url("token_url")
    signed = private_key_jwt_sign(key, provider.client.id, audience, alg=header["alg"], header=header, expires_in=60)
    return {"client_assertion_type": _ASSERTION, "client_assertion": str(signed)}


def _signed_secret(provider: Provider) -> str:
    asked = provider.client.signed_secret
    if asked is None:
        return ""
    key, header = private_key(provider.client.private_key or "", provider.client.key_id)
    return str(
        sign_jwt_bearer_assertion(key, asked.issuer, asked.audience, provider.client.id, header=header, expires_in=300)
    )


class _Guarded(httpx.AsyncBaseTransport):
    """Connects to the very addresses that were looked at, whatever the name says a moment later."""

    def __init__(self, reach: Reach, context: ssl.SSLContext) -> None:
        self._reach, self._context = reach, context

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        self._reach.check_url(str(url))
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = await self._reach.addresses(url.scheme, url.host, port)
        extensions = {**request.extensions, "sni_hostname": urlsplit(str(url)).hostname}
        content = request.read()
        for number, address in enumerate(addresses):
            pinned = httpx.Request(
                request.method,
                url.copy_with(host=address),
                headers=request.headers,
                content=content,
                extensions=extensions,
            )
            # No connection is kept: two names at one address must not share one.
            inner = httpx.AsyncHTTPTransport(verify=self._context, trust_env=False)
            try:
                response = await inner.handle_async_request(pinned)
            except BaseException as error:  # also where nobody waits for the answer any more
                await inner.aclose()
                if not isinstance(error, httpx.ConnectError) or number + 1 == len(addresses):
                    raise
                continue
            return _bounded(response, inner)
        raise Unreachable(f"the host {url.host} has no address")


def _bounded(response: httpx.Response, transport: httpx.AsyncHTTPTransport) -> httpx.Response:
    stream = _Bounded(cast("httpx.AsyncByteStream", response.stream), transport)
    if _REDIRECTS <= response.status_code < _REFUSED:
        stream.refusal = "it redirects, which is not followed"
    if response.headers.get("content-encoding", "identity") != "identity":
        stream.refusal = "it packs its answer, which was not asked for"
    return httpx.Response(response.status_code, headers=response.headers, stream=stream)


class _Bounded(httpx.AsyncByteStream):
    """The body of an answer, a megabyte at most."""

    def __init__(self, inner: httpx.AsyncByteStream, transport: httpx.AsyncHTTPTransport) -> None:
        self._inner, self._transport, self.refusal = inner, transport, ""

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.refusal:
            raise Unreachable(self.refusal)
        size = 0
        async for chunk in self._inner:
            size += len(chunk)
            if size > _MOST:
                raise Unreachable("it answers with more than a megabyte")
            yield chunk

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()
        await self._transport.aclose()
