"""The commands of visado-oauth: what the catalogue has, whether a provider can be used, and a login from a terminal."""

from __future__ import annotations

import asyncio
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

from visado import ServerSection, Settings, errors
from visado_oauth import catalogue, terminal
from visado_oauth.catalogue import Misconfigured
from visado_oauth.client import Http, Refused, Talk, challenge_of
from visado_oauth.guard import Reach
from visado_oauth.keys import private_key, read_keys
from visado_oauth.plugin import outgoing, resolved
from visado_oauth.providers import Provider
from visado_oauth.settings import OauthSection

_WRONG: Final = 1
_CLOCK: Final = 30.0
_DISCOVERY: Final = "/.well-known/openid-configuration"
_BAD: Final = 400


class Commands(Protocol):
    """The commands of the command line, as the host lends them."""

    def add_parser(self, name: str, *, help: str = "") -> ArgumentParser:
        """Add a command."""
        ...


def register(commands: Commands) -> None:
    """Add the commands."""
    listing = commands.add_parser("oauth:providers", help="list the catalogue of providers")
    listing.set_defaults(run=list_providers)
    check = commands.add_parser("oauth:check", help="check a provider: discovery, keys, clock, redirect address")
    check.add_argument("name", help="the provider's name in the settings")
    check.set_defaults(run=check_provider)
    login = commands.add_parser("oauth:login", help="log in at a running host with a provider, and print the token")
    login.add_argument("name", help="the strategy")
    login.add_argument("--url", default="http://127.0.0.1:7512", help="the host (http://127.0.0.1:7512)")
    login.add_argument("--device", action="store_true", help="print a code to enter elsewhere, and wait")
    login.set_defaults(run=terminal.log_in)


def say(text: str) -> None:
    """Write a line for the operator."""
    print(text)  # noqa: T201 - a command line writes


def list_providers(_: Namespace, settings: Settings) -> int:
    """Print every record: its name, its title, and the variables that the settings must give."""
    section = settings[OauthSection]
    for name in catalogue.names(section.catalogue):
        try:
            record = catalogue.find(name, section.catalogue)
        except Misconfigured as error:
            say(f"{name:<14} {error}")
            continue
        needed = [each for each, default in record.variables.items() if not default]
        say(f"{name:<14} {record.title}" + (f" (variables: {', '.join(needed)})" if needed else ""))
    for name, provider in section.providers.items():
        say(f"[oauth.providers.{name}] {provider.provider or provider.issuer or provider.authorize_url}")
    return 0


def check_provider(arguments: Namespace, settings: Settings) -> int:
    """Ask a provider what a login would, and print what is right and what is not."""
    section = settings[OauthSection]
    given = section.providers.get(arguments.name)
    if given is None:
        say(f"[oauth.providers] has no {arguments.name!r}: {', '.join(section.providers) or 'it is empty'}")
        return _WRONG
    reach, http = outgoing(section)
    found = resolved(arguments.name, given, section, settings[ServerSection].public_url, reach)
    if isinstance(found, str):
        say(f"settings   wrong: {found}")
        return _WRONG
    say(f"settings   right: {found.record.title or found.issuer}")
    return asyncio.run(_Check(http, found, reach).run())


class _Check:
    """The steps of `oauth:check`."""

    def __init__(self, http: Http, provider: Provider, reach: Reach) -> None:
        self._http, self._provider, self._reach = http, provider, reach
        self._wrong = 0

    async def run(self) -> int:
        if self._provider.discovers:
            await self._step("discovery", self._discover)
            if self._provider.discovers:
                return _WRONG
        if self._provider.openid:
            await self._step("keys", self._keys)
        await self._step("clock", self._clock)
        await self._step("secret", self._secret)
        await self._step("redirect", self._redirect)
        return _WRONG if self._wrong else 0

    async def _step(self, name: str, step: Callable[[], Awaitable[str]]) -> None:
        try:
            say(f"{name:<10} right: {await step()}")
        except (errors.VisadoError, Misconfigured, ValueError) as error:
            self._wrong += 1
            say(f"{name:<10} wrong: {error}")
        except Refused as error:
            self._wrong += 1
            say(f"{name:<10} wrong: the provider answers {error.code}")

    async def _discover(self) -> str:
        metadata: Mapping[str, Any] = await self._http.get(
            self._provider.name, self._provider.issuer.rstrip("/") + _DISCOVERY
        )
        self._provider = self._provider.completed(metadata, self._reach)
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
        if status >= _BAD:
            raise Misconfigured(f"the provider answers {status}: is {provider.redirect_uri} registered there?")
        return provider.redirect_uri
