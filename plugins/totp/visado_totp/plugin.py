"""Putting the parts together from the settings."""

from __future__ import annotations

from visado import Controller, Events, ServerSection, Settings, Storage, Users, read_secret
from visado_totp.check import TotpCheck
from visado_totp.controller import TotpController, TotpSecurityController
from visado_totp.enrolments import Enrolments
from visado_totp.seals import Seals
from visado_totp.settings import TotpSection


def _enrolments(settings: Settings, storage: Storage, users: Users, events: Events) -> Enrolments:
    section = settings[TotpSection]
    given, file = section.secret, settings[ServerSection].data / "totp-secret"
    seals = Seals(lambda: given.get_secret_value() if given is not None else read_secret(file))
    return Enrolments(section, storage, users, events, seals)


def check(settings: Settings, storage: Storage, users: Users, events: Events) -> TotpCheck:
    """Make the login check."""
    return TotpCheck(settings[TotpSection], users, _enrolments(settings, storage, users, events))


def controllers(settings: Settings, storage: Storage, users: Users, events: Events) -> list[Controller]:
    """Make the actions."""
    section, enrolments = settings[TotpSection], _enrolments(settings, storage, users, events)
    own = TotpController(section, TotpCheck(section, users, enrolments), enrolments)
    return [own, TotpSecurityController(enrolments)]
