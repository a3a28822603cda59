"""visado-magic: log in with a code that the host mails to an address."""

from collections.abc import Iterable

from visado import Host, Section, Settings, Strategy, hookimpl

from visado_magic.settings import MagicSection
from visado_magic.strategy import Magic


@hookimpl
def register_settings() -> type[Section]:
    return MagicSection


@hookimpl
def register_strategies(settings: Settings, host: Host) -> Iterable[Strategy]:
    return [Magic(settings[MagicSection], host)]
