"""visado-audit: a log of logins, refusals and changes, in which each record holds the hash of the record before.

Owns the log's files, their format and the commands that read them. Does not own the events: the host and its plugins
note those.
"""

from __future__ import annotations

from collections.abc import Iterable

from visado import Commands, Host, Observer, Section, Settings, hookimpl
from visado_audit.commands import add_commands
from visado_audit.observer import AuditObserver
from visado_audit.settings import AuditSection


@hookimpl
def register_settings() -> type[Section]:
    """Declare the section `[audit]`."""
    return AuditSection


@hookimpl
def register_observers(settings: Settings, host: Host) -> Iterable[Observer]:
    """Record every event in the log."""
    return [AuditObserver(settings, host.clock)]


@hookimpl
def register_commands(commands: Commands) -> None:
    """Add `visado audit:verify` and `visado audit:show`."""
    add_commands(commands)
