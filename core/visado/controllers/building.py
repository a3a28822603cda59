"""The action table: the host's own actions, and those that plugins register."""

from __future__ import annotations

from collections.abc import Iterable

from visado.controller import ActionTable, Controller
from visado.controllers.admin import AdminController, FirstAdminController
from visado.controllers.api_keys import ApiKeysController, MyApiKeysController
from visado.controllers.auth import AuthController
from visado.controllers.credentials import CredentialsController, MyCredentialsController
from visado.controllers.plugins import PluginsController
from visado.controllers.profiles import ProfilesController
from visado.controllers.roles import RolesController
from visado.controllers.server import Health, ServerController
from visado.controllers.users import UsersController
from visado.host import Clock
from visado.metrics import Metrics
from visado.plugins.manager import Plugin, Plugins, StartError
from visado.plugins.switching import Switches
from visado.search.mappings import Mappings
from visado.search.searches import Searches
from visado.security import documents
from visado.security.building import Security
from visado.settings.loading import Settings
from visado.settings.sections import LimitsSection, SecuritySection
from visado.storage.versions import VersionedStorage


def build_table(
    settings: Settings,
    clock: Clock,
    storage: VersionedStorage,
    security: Security,
    plugins: Plugins,
    switches: Switches,
    metrics: Metrics,
) -> ActionTable:
    """Build the host's own controllers, call the hook `register_controllers`, and return the table of all actions.

    Raises `StartError` when two actions have one id or one route.
    """
    closed = frozenset(settings[SecuritySection].closed_actions)
    health = Health(storage, plugins, security.strategies, security.token_verifiers, security.observers)
    controllers = [
        *_security_controllers(settings, clock, storage, security),
        ServerController(settings, clock, security.users, health, metrics, lambda: table),
        PluginsController(plugins, switches, security.strategy_kinds, security.added_strategies),
    ]

    def add(plugin: Plugin, registered: Iterable[Controller]) -> None:
        added = list(registered)
        for each in added:
            each.plugin = plugin.name
        actions = [each for controller in added for each in controller.actions()]
        plugin.note("action", [each.id for each in actions])
        plugin.note("open action", [each.id for each in actions if each.open_to and each.id not in closed])
        controllers.extend(added)

    plugins.call("register_controllers", add, settings=settings, host=security.host)
    try:
        table = ActionTable(controllers, plugins.unavailable, closed)
    except ValueError as error:
        raise StartError(str(error)) from None
    return table


def _security_controllers(
    settings: Settings, clock: Clock, storage: VersionedStorage, security: Security
) -> list[Controller]:
    access, accounts, api_keys = security.access, security.accounts, security.api_keys
    strategies, credentials = security.strategies, security.strategy_credentials
    users, profiles, roles = security.users, security.profiles, security.roles
    mappings = Mappings(storage)
    searches = Searches(clock, settings[LimitsSection].fetch_count, documents.format_hit)
    return [
        AuthController(access, strategies, credentials, security.logins, security.observers),
        MyCredentialsController(strategies, credentials, security.logins),
        MyApiKeysController(api_keys, searches, settings[SecuritySection].api_key_max_ttl),
        UsersController(access, accounts, credentials, mappings, searches, settings),
        FirstAdminController(storage, accounts, users, profiles, roles),
        ProfilesController(profiles, users, mappings, searches, settings),
        RolesController(roles, profiles, mappings, searches, settings),
        CredentialsController(users, strategies, credentials, searches),
        ApiKeysController(api_keys, users, searches),
        AdminController(accounts, users, profiles, roles),
    ]
