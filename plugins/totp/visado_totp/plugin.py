"""Putting the parts together from the settings."""

from __future__ import annotations

from visado import Controller, Host, Sealer, ServerSection, Settings, read_secret
from visado_totp.check import TotpCheck
from visado_totp.controller import TotpController, TotpSecurityController
from visado_totp.enrolments import Enrolments
from visado_totp.settings import TotpSection


def _enrolments(settings: Settings, host: Host) -> Enrolments:
    section = settings[TotpSection]
    given, file = section.secret, settings[ServerSection].data / "totp-secret"
    sealer = Sealer(lambda: given.get_secret_value() if given is not None else read_secret(file), "visado-totp")
    return Enrolments(section, host.storage, host.users, host.events, sealer, host.clock)


def check(settings: Settings, host: Host) -> TotpCheck:
    """Make the login check."""
    return TotpCheck(settings[TotpSection], host.users, _enrolments(settings, host))


def controllers(settings: Settings, host: Host) -> list[Controller]:
    """Make the actions."""
    section, enrolments = settings[TotpSection], _enrolments(settings, host)
    own = TotpController(section, TotpCheck(section, host.users, enrolments), enrolments)
    return [own, TotpSecurityController(enrolments)]
