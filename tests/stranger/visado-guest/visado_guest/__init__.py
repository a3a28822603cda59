"""visado-guest: anybody logs in as a new user, whom the host deletes when it stays away."""

from collections.abc import Iterable

from visado import Host, Section, Settings, Strategy, hookimpl

from visado_guest.settings import GuestSection
from visado_guest.strategy import Guest


@hookimpl
def register_settings() -> type[Section]:
    return GuestSection


@hookimpl
def register_strategies(settings: Settings, host: Host) -> Iterable[Strategy]:
    return [Guest(settings[GuestSection], host)]
