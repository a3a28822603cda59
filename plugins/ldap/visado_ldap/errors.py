"""The errors of directories, for clients; and what the modules of this plugin tell each other."""

from __future__ import annotations

from typing import Final

from visado import errors


class Unreachable(Exception):
    """A server cannot be asked: the text says which step failed, for the log and for `ldap:check`."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step, self.reason = step, reason


class Resting(Unreachable):
    """Every server has failed a moment ago: none is asked."""

    def __init__(self) -> None:
        super().__init__("ask", "every server is resting after a failure")


class Refused(Exception):
    """A server answers, and refuses what the configuration asks of it."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Invalid(Exception):
    """ldap3 cannot say this in LDAP: a name, a filter or a password that is none."""


class DirectoryUnreachable(errors.Unavailable, id="ldap.directory.unreachable", code=0x04058001):
    """No server of the directory can be asked at the moment; the log has the cause."""

    message = 'The directory "{directory}" cannot be reached.'


class DirectoryRefused(errors.Unavailable, id="ldap.directory.refused", code=0x04058002):
    """The directory refuses what the settings ask of it; the log has the cause."""

    message = 'The directory "{directory}" refuses to be searched as it is configured.'


class EntryNotFound(errors.BadRequest, id="ldap.entry.not_found", code=0x04058003):
    """The directory has no such entry."""

    message = "No entry of the directory fits these credentials."


class EntryAmbiguous(errors.BadRequest, id="ldap.entry.ambiguous", code=0x04058004):
    """Credentials belong to one entry."""

    message = "Several entries of the directory fit these credentials."


class EntryOutside(errors.BadRequest, id="ldap.entry.outside", code=0x04058005):
    """Logins are looked for in the configured search base alone."""

    message = 'The entry is not below the search base of the directory "{directory}": nobody could log in by it.'


class CredentialsInvalid(errors.BadRequest, id="ldap.credentials.invalid", code=0x04058006):
    """Credentials are {username}, {dn}, or {searchBase, searchFilter} with or without {bindDN}."""

    message = "Invalid LDAP credentials: {rule}."


class BindDnForeign(errors.BadRequest, id="ldap.credentials.bind_dn", code=0x04058007):
    """Entries are looked up by the configured account, and by no other."""

    message = "bindDN is not the account that the directory is configured with."


class ProofRequired(errors.BadRequest, id="ldap.credentials.password_required", code=0x04058008):
    """Users link an entry to themselves with its user name and its password."""

    message = "Your own LDAP credentials are username and password: prove that the entry is yours."


class ProofWrong(errors.Forbidden, id="ldap.credentials.password_wrong", code=0x04058009):
    """The user name or the password is wrong."""

    message = "Invalid user or password."


class ForbiddenField(errors.Forbidden, id="ldap.search.forbidden_field", code=0x0405800A):
    """Credentials are searched by few fields."""

    message = 'Forbidden field "{field}": only {fields} can be searched and sorted by.'


class AccountDisabled(errors.Unauthorized, id="ldap.account.disabled", code=0x0405800B):
    """The password is right, but the account is disabled."""

    message = "Account disabled"


class AccountExpired(errors.Unauthorized, id="ldap.account.expired", code=0x0405800C):
    """The password is right, but the account has expired."""

    message = "Account expired"


class PasswordExpired(errors.Unauthorized, id="ldap.account.password_expired", code=0x0405800D):
    """The password is right, but has expired."""

    message = "Password expired"


class PasswordMustChange(errors.Unauthorized, id="ldap.account.must_change_password", code=0x0405800E):
    """The password is right, but must be changed in the directory first."""

    message = "User must reset password"


class LogonHours(errors.Unauthorized, id="ldap.account.logon_hours", code=0x0405800F):
    """The password is right, but not at this time."""

    message = "Not permitted to log in at this time"


class LogonWorkstation(errors.Unauthorized, id="ldap.account.workstation", code=0x04058010):
    """The password is right, but not from this machine."""

    message = "Not permitted to log in from this machine"


class LogonDenied(errors.Unauthorized, id="ldap.account.logon_denied", code=0x04058011):
    """The password is right, but the account may not log in this way."""

    message = "Not permitted to log in this way"


AFTER_THE_PASSWORD: Final[dict[str, type[errors.Unauthorized]]] = {
    "hours": LogonHours,
    "workstation": LogonWorkstation,
    "password expired": PasswordExpired,
    "disabled": AccountDisabled,
    "logon type": LogonDenied,
    "expired": AccountExpired,
    "must change": PasswordMustChange,
}
"""What a directory says of an account only to who knows its password (`refusals.Refusal.kind`)."""
