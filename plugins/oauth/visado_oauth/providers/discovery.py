"""Discovery: the URLs and abilities of an OpenID provider, read from its discovery document and kept current."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

from visado import errors
from visado_oauth.errors import OauthError, ProviderMisconfigured, ProviderUnavailable
from visado_oauth.providers.address_guard import AddressGuard
from visado_oauth.providers.provider import Provider

FetchDocument: TypeAlias = Callable[[str, str], Awaitable[Mapping[str, Any]]]
"""Fetches a JSON object: called with the provider's name and a URL."""

DISCOVERY_PENDING: Final = "its discovery document is being fetched"
_DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
_RETRY_SECONDS: Final = (5.0, 10.0, 20.0, 40.0, 60.0)
_REFRESH_SECONDS: Final = 86_400.0
_log = logging.getLogger("visado.oauth")


async def discover(fetch: FetchDocument, provider: Provider, guard: AddressGuard) -> Provider:
    """Return a provider completed by its discovery document. Raises `ProviderMisconfigured`, and as `fetch`."""
    document = await fetch(provider.name, provider.issuer.rstrip("/") + _DISCOVERY_PATH)
    return provider.with_metadata(document, guard)


class ProviderDiscovery:
    """One provider as it can be used now, or the reason why it cannot.

    `configured` is the provider as the settings describe it, or the reason why they describe none. A provider that
    needs discovery is discovered when the strategy opens, again after each failure, and once a day. `on_usable` is
    called with each provider that can be used.
    """

    def __init__(
        self,
        name: str,
        configured: Provider | str,
        fetch: FetchDocument,
        guard: AddressGuard,
        on_usable: Callable[[Provider], None],
    ) -> None:
        self._name, self._fetch, self._guard, self._on_usable = name, fetch, guard, on_usable
        self.configured = configured if isinstance(configured, Provider) else None
        self.usable: Provider | None = None
        self._problem = configured if isinstance(configured, str) else None
        if self.configured is not None and not self.configured.needs_discovery:
            self.set_usable(self.configured)
        self._tried_at = 0.0
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Start the discovery, where the provider needs one."""
        if self.configured is None:
            _log.error("the provider %r is unavailable: %s", self._name, self._problem)
        elif self.configured.needs_discovery:
            self._task = asyncio.create_task(self._repeat(self.configured))

    async def close(self) -> None:
        """Stop the discovery."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def problem(self) -> str | None:
        """Return why the provider cannot be used now, or None."""
        return None if self.usable is not None else self._problem or DISCOVERY_PENDING

    def set_usable(self, provider: Provider) -> None:
        """Use a provider that was discovered, or needs no discovery."""
        self.usable, self._problem = provider, None
        self._on_usable(provider)

    async def get(self) -> Provider:
        """Return the provider as it can be used now. Raises `ProviderUnavailable`.

        Waits for a discovery that runs; starts one where the last one failed five seconds ago or longer.
        """
        if self.usable is not None:
            return self.usable
        may_retry = time.monotonic() - self._tried_at >= _RETRY_SECONDS[0]
        if self.configured is not None and not self._lock.locked() and may_retry:
            await self._discover(self.configured)
        elif self._lock.locked():
            async with self._lock:
                pass
        usable: Provider | None = self.usable
        if usable is None:
            raise ProviderUnavailable(provider=self._name, reason=self._problem)
        return usable

    async def _repeat(self, configured: Provider) -> None:
        failures = 0
        while True:
            await self._discover(configured)
            failures = 0 if self._problem is None else min(failures + 1, len(_RETRY_SECONDS))
            await asyncio.sleep(_RETRY_SECONDS[failures - 1] if failures else _REFRESH_SECONDS)

    async def _discover(self, configured: Provider) -> None:
        async with self._lock:
            self._tried_at = time.monotonic()
            try:
                provider = await discover(self._fetch, configured, self._guard)
            except (errors.VisadoError, OauthError, ProviderMisconfigured) as error:
                if self._problem != str(error):
                    _log.warning("the provider %r cannot be used: %s", self._name, error)
                self._problem = str(error)
            else:
                if self._problem is not None:
                    _log.info("the provider %r can be used again", self._name)
                self.set_usable(provider)
