"""visado-realm: the domain of the user name chooses the strategy."""

from collections.abc import Iterable

from visado import Host, Section, Settings, Strategy, hookimpl

from visado_realm.settings import RealmSection
from visado_realm.strategy import Realm


@hookimpl
def register_settings() -> type[Section]:
    return RealmSection


@hookimpl
def register_strategies(settings: Settings, host: Host) -> Iterable[Strategy]:
    return [Realm(settings[RealmSection], host.strategies, host.added_strategies)]
