"""visado-htpasswd: log in with HTTP Basic, against an Apache htpasswd file."""

from __future__ import annotations

from collections.abc import Iterable

from visado import Credentials, Section, Settings, Storage, Strategy, Users, hookimpl

from visado_htpasswd.settings import HtpasswdSection
from visado_htpasswd.strategy import HtpasswdStrategy


@hookimpl
def register_settings() -> type[Section]:
    """Declare `[htpasswd]`."""
    return HtpasswdSection


@hookimpl
def register_strategies(
    settings: Settings, users: Users, credentials: Credentials, storage: Storage
) -> Iterable[Strategy]:
    """Offer `htpasswd`."""
    return [HtpasswdStrategy(settings[HtpasswdSection], users, credentials, storage)]
