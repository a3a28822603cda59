"""The construction of the host's own controllers from the parts of the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from visado.controller import ActionTable, Controller
from visado.controllers.admin import AdminController
from visado.controllers.api_keys import ApiKeysController
from visado.controllers.auth import AuthController
from visado.controllers.credentials import CredentialsController
from visado.controllers.current_user import OwnController
from visado.controllers.plugins import PluginsController
from visado.controllers.profiles import ProfilesController
from visado.controllers.roles import RolesController
from visado.controllers.server import Health, ServerController
from visado.controllers.users import FirstAdminController, UsersController
from visado.host import Clock
from visado.metrics import Metrics
from visado.plugins.manager import Plugins
from visado.plugins.switching import Switches
from visado.search.cursors import Searches
from visado.search.mappings import Mappings
from visado.security.access import Access
from visado.security.accounts import Accounts
from visado.security.logins.added_strategies import AddedStrategies
from visado.security.logins.checks import Logins
from visado.security.logins.strategies import Strategies
from visado.security.observers import Observers
from visado.security.rights.roles import Roles
from visado.settings.loading import Settings
from visado.settings.sections import LimitsSection
from visado.storage.versions import VersionedStorage


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the host that its own controllers use.

    `table` returns the action table, which does not exist yet when the controllers are built.
    """

    settings: Settings
    clock: Clock
    storage: VersionedStorage
    access: Access
    accounts: Accounts
    roles: Roles
    strategies: Strategies
    added_strategies: AddedStrategies
    logins: Logins
    observers: Observers
    plugins: Plugins
    switches: Switches
    metrics: Metrics
    table: Callable[[], ActionTable]


def build(parts: Parts) -> list[Controller]:
    """Build the host's own controllers."""
    settings, access, accounts = parts.settings, parts.access, parts.accounts
    users, profiles, roles, strategies = access.users, access.profiles, parts.roles, parts.strategies
    mappings = Mappings(parts.storage)
    searches = Searches(parts.clock, settings[LimitsSection].fetch_count)
    health = Health(parts.storage, parts.plugins, strategies, parts.observers)
    return [
        AuthController(access, strategies, parts.logins, parts.observers),
        OwnController(strategies, access.api_keys, searches, settings),
        UsersController(access, accounts, strategies, mappings, searches, settings),
        FirstAdminController(parts.storage, accounts, users, profiles, roles),
        ProfilesController(profiles, users, mappings, searches, settings),
        RolesController(roles, profiles, mappings, searches, settings),
        CredentialsController(users, strategies, searches),
        ApiKeysController(access.api_keys, users, searches),
        ServerController(settings, parts.clock, users, health, parts.metrics, parts.table),
        AdminController(accounts, users, profiles, roles),
        PluginsController(parts.plugins, parts.switches, parts.added_strategies),
    ]
