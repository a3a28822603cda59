"""visado-audit: a log of what happens, each line chained to the one before.

Owns the log's files, their format and the commands that read them. Does not own what is told: the host's events are
that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from visado import Host, Observer, Section, Settings, hookimpl
from visado_audit import commands as audit_commands
from visado_audit.log import Log
from visado_audit.observer import AuditObserver
from visado_audit.settings import AuditSection, path_of


@hookimpl
def register_settings() -> type[Section]:
    """Declare `[audit]`."""
    return AuditSection


@hookimpl
def register_observers(settings: Settings, host: Host) -> Iterable[Observer]:
    """Hear of everything, and write it down."""
    section = settings[AuditSection]
    return [AuditObserver(Log(path_of(settings), section, host.clock), required=section.required)]


@hookimpl
def register_commands(commands: Any) -> None:
    """Offer `visado audit:verify` and `visado audit:show`."""
    audit_commands.add(commands)
