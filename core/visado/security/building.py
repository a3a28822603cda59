"""The security of a host, built in the order of its dependencies.

Owns the assembly, the registration of the objects that plugins offer, and the order of opening and closing. Does not
own what the parts do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, TypeAlias, cast

from visado import host
from visado.host import Clock, Host
from visado.plugins.manager import Plugins, StartError
from visado.security.access import Access
from visado.security.accounts import Accounts
from visado.security.lending import lend
from visado.security.logins import pending_logins
from visado.security.logins.check_runs import CheckRuns
from visado.security.logins.identities import Identities
from visado.security.logins.login_checks import LoginChecks
from visado.security.logins.logins import Logins
from visado.security.logins.pending_logins import PendingLogins
from visado.security.logins.steps import Steps
from visado.security.observers import Observers
from visado.security.rights.profiles import Profiles
from visado.security.rights.roles import Roles
from visado.security.strategies.added_strategies import AddedStrategies
from visado.security.strategies.chains import Chain
from visado.security.strategies.strategies import Strategies
from visado.security.strategies.strategy_credentials import StrategyCredentials
from visado.security.strategies.strategy_kinds import StrategyKinds
from visado.security.tokens import revocations, tokens
from visado.security.tokens.api_keys import ApiKeys
from visado.security.tokens.connections import Connections
from visado.security.tokens.foreign_tokens import ForeignTokens
from visado.security.tokens.signing import Signer
from visado.security.tokens.token_verifiers import TokenVerifiers
from visado.security.tokens.tokens import Tokens
from visado.security.users.credentials import Credentials
from visado.security.users.users import Users
from visado.settings import sections
from visado.settings.loading import Settings
from visado.storage.protocol import Storage
from visado.storage.versions import Version

UNVERSIONED_COLLECTIONS: Final = frozenset({tokens.COLLECTION, revocations.COLLECTION, pending_logins.COLLECTION})
"""Collections that change with each login, and on which no cached value depends."""
PURGE_SECONDS: Final = 600.0
_log = logging.getLogger("visado.security")

HostActions: TypeAlias = Callable[[str], frozenset[str] | None]
"""Returns the names of the actions of a controller, or None where the host has no such controller."""


class Security:
    """Roles, profiles, users, credentials, tokens, strategies and logins of one host."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        version: Version,
        plugins: Plugins,
        clock: Clock,
        host_actions: HostActions,
    ) -> None:
        self._settings, self._plugins, self._host_actions = settings, plugins, host_actions
        self._purging: asyncio.Task[None] | None = None
        self.observers = Observers(storage, plugins.unavailable, plugins.disabled)
        self._build_users(storage, clock)
        self._build_tokens(storage, clock)
        self._build_logins(storage, clock, version)
        section = settings[sections.SecuritySection]
        self.access = Access(
            self.users,
            self.profiles,
            self.tokens,
            self.api_keys,
            self.foreign_tokens,
            section.open_bootstrap,
            section.impersonation == "full",
        )
        self.accounts = Accounts(
            storage, self.users, self.strategies, self.strategy_credentials, self.tokens, self.api_keys
        )
        self.host = Host(
            storage=storage,
            users=self._lend_users(),
            credentials=lend(host.Credentials, self.credentials),
            identities=lend(host.Identities, self.identities),
            tokens=lend(host.Tokens, self.tokens),
            logins=lend(host.Logins, self.logins),
            strategies=cast("host.Strategies", lend(host.Strategies, self.strategies, attempt=self.logins.attempt)),
            added_strategies=lend(host.AddedStrategies, self.added_strategies),
            events=lend(host.Events, self.observers),
            clock=clock,
        )

    def _lend_users(self) -> host.Users:
        async def delete(user_id: str) -> None:
            await self.accounts.delete(user_id)

        strategies = self.strategy_credentials.strategies_of
        users: object = lend(host.Users, self.users, delete=delete, strategies=strategies)
        return cast("host.Users", users)

    def _build_users(self, storage: Storage, clock: Clock) -> None:
        self.roles = Roles(storage, clock, self._known_actions, self.observers)
        self.profiles = Profiles(storage, clock, self.roles, self._known_collections, self.observers)
        self.users = Users(storage, clock, self.profiles, self.observers)
        self.credentials = Credentials(storage, self.observers)

    def _build_tokens(self, storage: Storage, clock: Clock) -> None:
        settings = self._settings[sections.SecuritySection].token
        self.signer = Signer(settings, self._settings[sections.ServerSection].data, clock)
        self.connections = Connections(clock)
        self.tokens = Tokens(storage, clock, self.signer, settings, self.connections, self.observers)
        self.api_keys = ApiKeys(storage, clock, self.signer, self.tokens, self.observers)

    def _build_logins(self, storage: Storage, clock: Clock, version: Version) -> None:
        unavailable, disabled = self._plugins.unavailable, self._plugins.disabled
        self.strategies = Strategies(self.credentials, unavailable)
        self.strategies.on_change.append(version.advance)
        self.strategy_credentials = StrategyCredentials(self.strategies, self.credentials, self.observers, version)
        self.strategy_kinds = StrategyKinds(unavailable)
        self.added_strategies = AddedStrategies(storage, self.strategies, self.strategy_kinds, self.observers)
        self.pending_logins = PendingLogins(storage, clock)
        self.tokens.on_revoke_all.append(self.pending_logins.delete_all)
        self.login_checks = LoginChecks(unavailable, disabled)
        self.users.on_delete.append(self.login_checks.forget)
        accounts = self._settings[sections.AccountsSection]
        self.identities = Identities(storage, self.users, self.credentials, accounts)
        self.strategies.admits = self.identities.check
        steps = Steps(self.pending_logins, self.strategies, self.observers)
        checks = CheckRuns(self.users, self.login_checks, self.pending_logins, steps, self.observers)
        self.logins = Logins(self.users, self.tokens, self.strategies, self.identities, steps, checks, self.observers)
        self._build_verifiers(clock)

    def _build_verifiers(self, clock: Clock) -> None:
        self.token_verifiers = TokenVerifiers(self._plugins.unavailable, self._declare_verifier)
        resolve = self.identities.resolve
        self.foreign_tokens = ForeignTokens(self.token_verifiers, self.tokens, self.users, resolve, clock)
        self._plugins.on_change.append(self.foreign_tokens.forget_unavailable)
        self.credentials.on_unlink.append(self.foreign_tokens.forget)

    def _declare_verifier(self, name: str, plugin: str) -> None:
        """Declare the credentials of a verifier's identities. Only a strategy of its own plugin may share them."""
        if name in self.strategies.taken_names and self.strategies.plugin_of(name) != plugin:
            raise ValueError(f"the token verifier {name!r} has the name of a strategy that is not of its plugin")
        self.strategies.keep_identities(name)

    def _known_actions(self, controller: str) -> tuple[frozenset[str], bool] | None:
        actions = self._host_actions(controller)
        if actions is not None:
            return actions, True
        declared = self._settings[sections.RightsSection].resources.get(controller)
        return None if declared is None else (frozenset(declared), False)

    def _known_collections(self, index: str) -> frozenset[str] | None:
        declared = self._settings[sections.RightsSection].indexes.get(index)
        return None if declared is None else frozenset(declared)

    def register(self) -> None:
        """Register the strategies, kinds of strategies, login checks, token verifiers and observers of plugins.

        Raises `StartError` where two of them have one name, and where a chain names an unknown strategy.
        """
        plugins, arguments = self._plugins, {"settings": self._settings, "host": self.host}
        plugins.register("register_strategies", "strategy", self.strategies, **arguments)
        self._add_chains()
        plugins.register("register_strategy_kinds", "kind", self.strategy_kinds, **arguments)
        plugins.register("register_login_checks", "login check", self.login_checks, **arguments)
        plugins.register("register_token_verifiers", "token verifier", self.token_verifiers, **arguments)
        plugins.register("register_observers", "observer", self.observers, **arguments)

    def _add_chains(self) -> None:
        for name, chain in self._settings[sections.ChainSection].chains.items():
            try:
                self.strategies.add(Chain(name, chain.strategies, self.strategies))
            except ValueError as error:
                raise StartError(f"chain.{name}: {error}") from None

    async def open(self) -> None:
        """Load what is held in memory, and open the parts of plugins. The storage is open.

        A plugin whose part cannot open is quarantined. Raises `StorageError`.
        """
        quarantine = self._plugins.quarantine_unopened
        self.signer.open()
        await self.observers.open(quarantine)
        await self.roles.open()
        await self.profiles.open()
        await self.credentials.open()
        await self.strategies.open(quarantine)
        await self.added_strategies.open()
        self._report_unused_accounts()
        await self.login_checks.open(quarantine)
        await self.token_verifiers.open(quarantine)
        self._purging = asyncio.create_task(self._purge())

    def _report_unused_accounts(self) -> None:
        known = self.strategies.taken_names | self.token_verifiers.names
        for name in self._settings[sections.AccountsSection].names - known:
            _log.warning("[accounts.%s] has no effect: no strategy and no token verifier is called %r", name, name)

    async def close(self) -> None:
        """Close the parts of plugins. The storage is still open."""
        purging, self._purging = self._purging, None
        if purging is not None and purging.get_loop() is asyncio.get_running_loop():
            purging.cancel()
            await asyncio.gather(purging, return_exceptions=True)
        await self.strategies.close()
        await self.login_checks.close()
        await self.foreign_tokens.close()
        await self.observers.close()

    async def _purge(self) -> None:
        """Delete expired tokens and pending logins, every `PURGE_SECONDS`."""
        while True:
            try:
                await self.tokens.purge()
                await self.tokens.revoked.purge()
                await self.pending_logins.purge()
            except Exception:
                _log.exception("expired tokens and pending logins could not be deleted")
            await asyncio.sleep(PURGE_SECONDS)
