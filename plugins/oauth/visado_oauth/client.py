# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""The client of providers: the one module that uses Authlib and httpx.

Authlib builds URLs, bodies and client authentication. httpx sends them, through a transport that connects only to
addresses that the address guard has checked, follows no redirect, and reads at most one megabyte. Does not own which
requests a login needs (`login.provider_requests`).
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote, urlsplit

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

from visado_oauth.errors import OauthError, ProviderFailed, ProviderTimeout, RequestBlocked
from visado_oauth.openid.json_values import is_object
from visado_oauth.openid.keys import read_private_key
from visado_oauth.providers.address_guard import AddressGuard
from visado_oauth.providers.provider import Provider

_MAX_RESPONSE_BYTES: Final = 1_048_576
_MAX_ERROR_CHARACTERS: Final = 64
_FIRST_REDIRECT_STATUS: Final = 300
_FIRST_CLIENT_ERROR_STATUS: Final = 400
_FIRST_SERVER_ERROR_STATUS: Final = 500
_PORTS: Final = {"https": 443, "http": 80}
_ASSERTION_SECONDS: Final = 60
_SIGNED_SECRET_SECONDS: Final = 300
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_HEADERS: Final = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "visado-oauth"}


# -- requests and responses


class ProviderClient:
    """Sends requests to providers. `timeout` is in seconds, for a whole request and its response."""

    def __init__(self, guard: AddressGuard, timeout: float, ca_file: Path | None = None) -> None:
        self.guard = guard
        self._timeout = timeout
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        self._transport = _GuardedTransport(guard, context)
        self._running: set[asyncio.Task[httpx.Response]] = set()

    async def request(self, provider: str, method: str, url: str, **sent: Any) -> Any:
        """Send a request, and return the JSON of the response. `sent` are httpx's headers, content or json.

        Raises `OauthError`, `ProviderFailed`, `ProviderTimeout`.
        """
        return _read_json(provider, await self._send(provider, method, url, sent))

    async def get(self, provider: str, url: str) -> Mapping[str, Any]:
        """Return a public JSON object. Raises as `request`."""
        document = await self.request(provider, "GET", url)
        if not is_object(document):
            raise ProviderFailed(provider=provider, reason="its response is not a JSON object")
        return document

    async def probe(self, provider: str, url: str) -> tuple[int, float | None]:
        """Return the status of a URL, and the provider's time in seconds since 1970 or None.

        Raises `ProviderFailed`, `ProviderTimeout`.
        """
        response = await self._send(provider, "GET", url, {}, read_body=False)
        try:
            date = parsedate_to_datetime(response.headers.get("date", "")).timestamp()
        except ValueError:
            return response.status_code, None
        return response.status_code, date

    async def close(self) -> None:
        """Wait for the running requests, each of which ends within the time-out."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _send(
        self, provider: str, method: str, url: str, sent: dict[str, Any], *, read_body: bool = True
    ) -> httpx.Response:
        # A task of its own, which is not cancelled with the caller: a cancelled connect would leave a socket open.
        task = asyncio.create_task(self._exchange(provider, method, url, sent, read_body=read_body))
        self._running.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def _forget(self, task: asyncio.Task[httpx.Response]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not warn where the caller is gone

    async def _exchange(
        self, provider: str, method: str, url: str, sent: dict[str, Any], *, read_body: bool
    ) -> httpx.Response:
        sent["headers"] = {**_HEADERS, **sent.get("headers", {})}
        try:
            async with asyncio.timeout(self._timeout):
                # Without httpx.AsyncClient, which logs URLs, stores cookies and reads environment variables.
                response = await self._transport.handle_async_request(httpx.Request(method, url, **sent))
                try:
                    if read_body:
                        await response.aread()
                finally:
                    await response.aclose()
        except TimeoutError:
            raise ProviderTimeout(provider=provider, seconds=self._timeout) from None
        except RequestBlocked as error:
            raise ProviderFailed(provider=provider, reason=str(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ssl.SSLError) as error:  # their texts contain URLs
            raise ProviderFailed(provider=provider, reason=f"the request failed ({type(error).__name__})") from None
        return response


def _read_json(provider: str, response: httpx.Response) -> Any:
    try:
        document: Any = json.loads(response.content) if response.content else {}
    except (ValueError, RecursionError):
        document = None
    error = document.get("error") if is_object(document) else None
    if is_object(error):  # Facebook and Google send an object
        error = error.get("type") or "error"
    if response.status_code < _FIRST_SERVER_ERROR_STATUS and isinstance(error, str) and error:
        raise OauthError(error[:_MAX_ERROR_CHARACTERS] if error.isascii() and error.isprintable() else "error")
    if response.status_code >= _FIRST_SERVER_ERROR_STATUS:
        raise ProviderFailed(provider=provider, reason=f"its status is {response.status_code}")
    if response.status_code >= _FIRST_CLIENT_ERROR_STATUS:
        raise OauthError(f"http_{response.status_code}")
    if document is None:
        raise ProviderFailed(provider=provider, reason="its response is not JSON")
    return document


class _GuardedTransport(httpx.AsyncBaseTransport):
    """Connects to the addresses that the guard has checked, whatever a second look-up would return."""

    def __init__(self, guard: AddressGuard, context: ssl.SSLContext) -> None:
        self._guard, self._context = guard, context

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        self._guard.check_url(str(url))
        port = url.port or _PORTS[url.scheme]
        addresses = await self._guard.resolve(url.scheme, url.host, port)
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
            # No connection is kept alive: two host names at one address must not share a connection.
            inner = httpx.AsyncHTTPTransport(verify=self._context, trust_env=False)
            try:
                response = await inner.handle_async_request(pinned)
            except BaseException as error:  # cancellation included
                await inner.aclose()
                if not isinstance(error, httpx.ConnectError) or number + 1 == len(addresses):
                    raise
                continue
            return _limit(response, inner)
        raise RequestBlocked(f"the host {url.host} has no address")


def _limit(response: httpx.Response, transport: httpx.AsyncHTTPTransport) -> httpx.Response:
    stream = _LimitedBody(cast("httpx.AsyncByteStream", response.stream), transport)
    if _FIRST_REDIRECT_STATUS <= response.status_code < _FIRST_CLIENT_ERROR_STATUS:
        stream.refusal = "it redirects, and redirects are not followed"
    if response.headers.get("content-encoding", "identity") != "identity":
        stream.refusal = "its response is compressed, which was not requested"
    return httpx.Response(response.status_code, headers=response.headers, stream=stream)


class _LimitedBody(httpx.AsyncByteStream):
    """The body of a response, one megabyte at most; none where `refusal` says why."""

    def __init__(self, inner: httpx.AsyncByteStream, transport: httpx.AsyncHTTPTransport) -> None:
        self._inner, self._transport, self.refusal = inner, transport, ""

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.refusal:
            raise RequestBlocked(self.refusal)
        size = 0
        async for chunk in self._inner:
            size += len(chunk)
            if size > _MAX_RESPONSE_BYTES:
                raise RequestBlocked("its response is larger than one megabyte")
            yield chunk

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()
        await self._transport.aclose()


# -- what requests contain


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a PKCE verifier."""
    return str(create_s256_code_challenge(verifier))


def login_url(provider: Provider, **params: str | None) -> str:
    """Return the URL of the provider's login page. `params` are state, redirect_uri, nonce, code_challenge."""
    query: dict[str, Any] = {**provider.record.params, **provider.settings.params, **params}
    if provider.posts:
        query["response_mode"] = "form_post"
    if query.get("code_challenge"):
        query["code_challenge_method"] = "S256"
    if provider.client.id_param != "client_id":
        query[provider.client.id_param] = provider.client.id
    scope = provider.record.scope_separator.join(provider.scopes) or None
    url, _, fragment = provider.url("authorize_url").partition("#")  # WeChat wants a fragment
    url = str(prepare_grant_uri(url, provider.client.id, "code", scope=scope, **query))
    return f"{url}#{fragment}" if fragment else url


def token_request(grant_type: str, **params: str) -> str:
    """Return the form body of a request to the token endpoint."""
    return str(prepare_token_request(grant_type, **params))


def authenticate_client(
    provider: Provider, url: str, headers: dict[str, str], body: str
) -> tuple[Mapping[str, str], str]:
    """Return headers and form body of a POST request with this host's client authentication."""
    client = provider.client
    if client.auth == "private_key_jwt":
        return headers, _add_fields(body, client_id=client.id, **_sign_assertion(provider))
    if client.auth in {"signed_secret", "client_secret_post"} and client.id_param != "client_id":
        return headers, _add_fields(body, **{client.id_param: client.id, client.secret_param: client.secret or ""})
    if client.auth == "client_secret_basic":  # RFC 6749, 2.3.1: form-encoded, then base64
        method = ClientAuth(quote(client.id, safe=""), quote(client.secret or "", safe=""), client.auth)
    elif client.auth == "signed_secret":
        method = ClientAuth(client.id, _sign_secret(provider), "client_secret_post")
    else:
        method = ClientAuth(client.id, client.secret, client.auth or "client_secret_basic")
    _, prepared, content = method.prepare("POST", url, headers, body)
    return prepared, str(content)


def _add_fields(body: str, **fields: str) -> str:
    return "&".join([body, *(f"{name}={quote(value, safe='')}" for name, value in fields.items())])


def _sign_assertion(provider: Provider) -> dict[str, str]:
    """Sign a client assertion (RFC 7523) for the issuer where the provider has one: it is of no use elsewhere."""
    key, header = read_private_key(provider.client.private_key or "", provider.client.key_id)
    audience = provider.issuer if provider.openid else provider.url("token_url")
    signed = private_key_jwt_sign(
        key, provider.client.id, audience, alg=header["alg"], header=header, expires_in=_ASSERTION_SECONDS
    )
    return {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": str(signed)}


def _sign_secret(provider: Provider) -> str:
    record = provider.client.signed_secret
    if record is None:
        return ""
    key, header = read_private_key(provider.client.private_key or "", provider.client.key_id)
    signed = sign_jwt_bearer_assertion(
        key, record.issuer, record.audience, provider.client.id, header=header, expires_in=_SIGNED_SECRET_SECONDS
    )
    return str(signed)
