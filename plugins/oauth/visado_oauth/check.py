"""Asking a provider step by step what a login would ask, without one.

For the operator (`visado oauth:check`), and for the host before it takes new settings.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from visado import errors
from visado_oauth.catalogue import Misconfigured
from visado_oauth.client import Http, Refused, Talk, challenge_of
from visado_oauth.guard import Reach
from visado_oauth.keys import private_key, read_keys
from visado_oauth.providers import Provider

_CLOCK: Final = 30.0
_DISCOVERY: Final = "/.well-known/openid-configuration"
_BAD: Final = 400
_SHY: Final = frozenset({403, 405, 406, 429})
"""What a provider may answer to whoever is no browser."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a step has found."""

    step: str
    text: str
    right: bool


Report = Callable[[Finding], object]


class Check:
    """The steps for one provider."""

    def __init__(self, http: Http, provider: Provider, reach: Reach) -> None:
        self._http, self._provider, self._reach = http, provider, reach

    async def run(self, report: Report) -> Provider:
        """Take every step, and report each; return the provider as far as it is known then."""
        if self._provider.discovers:
            await self._step("discovery", self._discover, report)
            if self._provider.discovers:
                return self._provider
        if self._provider.openid:
            await self._step("keys", self._keys, report)
        await self._step("clock", self._clock, report)
        await self._step("secret", self._secret, report)
        await self._step("redirect", self._redirect, report)
        return self._provider

    async def _step(self, name: str, step: Callable[[], Awaitable[str]], report: Report) -> None:
        try:
            found = Finding(name, await step(), right=True)
        except (errors.VisadoError, Misconfigured, ValueError) as error:
            found = Finding(name, str(error), right=False)
        except Refused as error:
            found = Finding(name, f"the provider answers {error.code}", right=False)
        report(found)

    async def _discover(self) -> str:
        self._provider = await discovered(self._http, self._provider, self._reach)
        return f"{len(self._provider.endpoints)} addresses, client authentication {self._provider.client.auth}"

    async def _keys(self) -> str:
        keys = read_keys(await self._http.get(self._provider.name, self._provider.url("jwks_url")))
        if not keys:
            raise Misconfigured("none of them can verify a signature")
        return f"{len(keys)} that verify {', '.join(self._provider.algorithms)}"

    async def _clock(self) -> str:
        _, theirs = await self._http.probe(self._provider.name, self._provider.url("token_url"))
        if theirs is None:
            return "the provider does not tell the time"
        apart = time.time() - theirs
        if abs(apart) > _CLOCK:
            raise Misconfigured(f"this machine is {apart:.0f} s apart from the provider")
        return f"{abs(apart):.0f} s apart"

    async def _secret(self) -> str:
        client = self._provider.client
        if client.auth in {"private_key_jwt", "signed_secret"}:
            _, header = private_key(client.private_key or "", client.key_id)
            return f"a private key, {header['alg']}"
        return "there is one" if client.secret else "none: a public client"

    async def _redirect(self) -> str:
        provider = self._provider
        challenge = challenge_of("a" * 43) if provider.pkce else None
        address = Talk(self._http).login_address(
            provider, state="check", redirect_uri=provider.redirect_uri, nonce="check", code_challenge=challenge
        )
        status, _ = await self._http.probe(provider.name, address)
        if status in _SHY:
            return f"{provider.redirect_uri}; whether it is registered cannot be told: the provider answers {status}"
        if status >= _BAD:
            raise Misconfigured(f"the provider answers {status}: is {provider.redirect_uri} registered there?")
        return provider.redirect_uri


async def discovered(http: Http, provider: Provider, reach: Reach) -> Provider:
    """Complete a provider by what it says of itself. Raises `Misconfigured`, `Refused`, and as `Http.get` does."""
    return provider.completed(await http.get(provider.name, provider.issuer.rstrip("/") + _DISCOVERY), reach)
