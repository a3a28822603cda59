"""visado-htpasswd: log in with HTTP Basic, against an Apache htpasswd file."""

from __future__ import annotations

from collections.abc import Iterable

from visado import Host, Section, Settings, Strategy, hookimpl

from visado_htpasswd.settings import HtpasswdSection
from visado_htpasswd.strategy import HtpasswdStrategy


@hookimpl
def register_settings() -> type[Section]:
    """Declare the section `[htpasswd]`."""
    return HtpasswdSection


@hookimpl
def register_strategies(settings: Settings, host: Host) -> Iterable[Strategy]:
    """Offer the strategy `htpasswd`."""
    return [HtpasswdStrategy(settings[HtpasswdSection], host)]
