"""The diagnosis of a provider: each step of a login that needs no user is tried, and its finding reported.

For operators (`visado oauth:check`), and for the host before it accepts new settings.
"""

from __future__ import annotations

import asyncio
import time
from argparse import Namespace
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from visado import ServerSection, Settings, errors
from visado_oauth.client import ProviderClient, challenge_of, login_url
from visado_oauth.errors import OauthError, ProviderMisconfigured
from visado_oauth.openid.keys import read_key_set, read_private_key
from visado_oauth.providers.address_guard import AddressGuard
from visado_oauth.providers.discovery import discover
from visado_oauth.providers.provider import Provider, resolve_provider
from visado_oauth.settings import OauthSection

_MAX_CLOCK_DIFFERENCE_SECONDS: Final = 30.0
_FIRST_ERROR_STATUS: Final = 400
_INCONCLUSIVE_STATUSES: Final = frozenset({403, 405, 406, 429})
"""The statuses with which some providers respond to every client that is not a browser."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one step."""

    step: str
    text: str
    passed: bool


ReportFinding: TypeAlias = Callable[[Finding], object]


class ProviderDiagnosis:
    """The steps for one provider."""

    def __init__(self, client: ProviderClient, provider: Provider) -> None:
        self._client, self._provider = client, provider

    async def run(self, report: ReportFinding) -> Provider:
        """Try every step and report each; return the provider as far as it could be discovered."""
        if self._provider.needs_discovery:
            await self._step("discovery", self._discover, report)
            if self._provider.needs_discovery:
                return self._provider
        if self._provider.openid:
            await self._step("keys", self._check_keys, report)
        await self._step("clock", self._check_clock, report)
        await self._step("secret", self._check_secret, report)
        await self._step("redirect", self._check_redirect, report)
        return self._provider

    async def _step(self, name: str, step: Callable[[], Awaitable[str]], report: ReportFinding) -> None:
        try:
            finding = Finding(name, await step(), passed=True)
        except (errors.VisadoError, ProviderMisconfigured, ValueError) as error:
            finding = Finding(name, str(error), passed=False)
        except OauthError as error:
            finding = Finding(name, f"the provider responds with the error {error.code}", passed=False)
        report(finding)

    async def _discover(self) -> str:
        self._provider = await discover(self._client.get, self._provider, self._client.guard)
        return f"{len(self._provider.endpoints)} URLs, client authentication {self._provider.client.auth}"

    async def _check_keys(self) -> str:
        keys = read_key_set(await self._client.get(self._provider.name, self._provider.url("jwks_url")))
        if not keys:
            raise ProviderMisconfigured("no key of the provider can verify a signature")
        return f"{len(keys)} keys for {', '.join(self._provider.algorithms)}"

    async def _check_clock(self) -> str:
        _, provider_time = await self._client.probe(self._provider.name, self._provider.url("token_url"))
        if provider_time is None:
            return "the provider's response has no date"
        difference = time.time() - provider_time
        if abs(difference) > _MAX_CLOCK_DIFFERENCE_SECONDS:
            raise ProviderMisconfigured(f"the clock of this machine differs by {difference:.0f} s from the provider's")
        return f"{abs(difference):.0f} s difference"

    async def _check_secret(self) -> str:
        client = self._provider.client
        if client.auth in {"private_key_jwt", "signed_secret"}:
            _, header = read_private_key(client.private_key or "", client.key_id)
            return f"a private key, {header['alg']}"
        return "a client secret" if client.secret else "none: a public client"

    async def _check_redirect(self) -> str:
        provider = self._provider
        challenge = challenge_of("a" * 43) if provider.pkce else None
        url = login_url(
            provider, state="check", redirect_uri=provider.redirect_uri, nonce="check", code_challenge=challenge
        )
        status, _ = await self._client.probe(provider.name, url)
        if status in _INCONCLUSIVE_STATUSES:
            return f"{provider.redirect_uri}; unknown whether it is registered: the provider responds with {status}"
        if status >= _FIRST_ERROR_STATUS:
            raise ProviderMisconfigured(
                f"the provider responds with {status}: is {provider.redirect_uri} registered there?"
            )
        return provider.redirect_uri


def run(arguments: Namespace, settings: Settings) -> int:
    """Test one provider, print a line for each step, and return the exit code."""
    section = settings[OauthSection]
    provider = section.providers.get(arguments.name)
    if provider is None:
        known = ", ".join(section.providers) or "none"
        _print(f"no provider {arguments.name!r} in [oauth.providers]; providers: {known}")
        return 1
    guard = AddressGuard(section.http_on_loopback, tuple(section.private_networks))
    public_url = settings[ServerSection].public_url
    try:
        configured = resolve_provider(arguments.name, provider, section.catalogue, public_url, guard)
    except ProviderMisconfigured as error:
        _print_finding(Finding("settings", str(error), passed=False))
        return 1
    _print_finding(Finding("settings", configured.record.title or configured.issuer, passed=True))
    client = ProviderClient(guard, section.timeout, section.ca_file)
    findings: list[Finding] = []

    def report(finding: Finding) -> None:
        findings.append(finding)
        _print_finding(finding)

    asyncio.run(ProviderDiagnosis(client, configured).run(report))
    return 0 if all(each.passed for each in findings) else 1


def _print_finding(finding: Finding) -> None:
    _print(f"  {'ok' if finding.passed else 'FAILED':8}{finding.step:14}{finding.text}")


def _print(text: str) -> None:
    print(text)  # noqa: T201 - a command line writes
