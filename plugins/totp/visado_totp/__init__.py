"""visado-totp: a code of an authenticator app, as a second factor of every login.

Owns the login check `totp`, the enrolments and the remembered devices. Does not own how a login goes on after a check:
the host does that, and it makes the tokens.
"""

from __future__ import annotations

from collections.abc import Iterable

from visado import Controller, Host, LoginCheck, Section, Settings, hookimpl
from visado_totp import commands as totp_commands
from visado_totp import plugin
from visado_totp.commands import Commands
from visado_totp.settings import TotpSection


@hookimpl
def register_settings() -> type[Section]:
    """Declare `[totp]`."""
    return TotpSection


@hookimpl
def register_login_checks(settings: Settings, host: Host) -> Iterable[LoginCheck]:
    """Ask for codes."""
    return [plugin.check(settings, host)]


@hookimpl
def register_controllers(settings: Settings, host: Host) -> Iterable[Controller]:
    """Offer enrolment, and its end."""
    return plugin.controllers(settings, host)


@hookimpl
def register_commands(commands: Commands) -> None:
    """Add `totp:enrol`."""
    totp_commands.register(commands)
