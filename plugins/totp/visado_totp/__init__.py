"""visado-totp: a second factor for every login, with codes of an authenticator app.

Owns the login check `totp`, the enrolments and the remembered devices. Does not own challenges and tokens: the host
stores the challenges, and issues the token after the last check.
"""

from __future__ import annotations

from collections.abc import Iterable

from visado import Commands, Controller, Host, LoginCheck, Section, Settings, hookimpl
from visado_totp.commands import add_commands
from visado_totp.controller import TotpController, TotpSecurityController
from visado_totp.login_check import TotpLoginCheck
from visado_totp.settings import TotpSection


@hookimpl
def register_settings() -> type[Section]:
    """Declare the section `[totp]`."""
    return TotpSection


@hookimpl
def register_login_checks(settings: Settings, host: Host) -> Iterable[LoginCheck]:
    """Ask for a code after each login."""
    return [host.single(TotpLoginCheck, settings, host)]


@hookimpl
def register_controllers(settings: Settings, host: Host) -> Iterable[Controller]:
    """Offer the actions that enrol an authenticator and disable it."""
    check = host.single(TotpLoginCheck, settings, host)
    return [TotpController(check), TotpSecurityController(check.enrolments)]


@hookimpl
def register_commands(commands: Commands) -> None:
    """Add `visado totp:enrol`."""
    add_commands(commands)
