"""The errors of visado-ldap: those that clients receive, and those that its modules raise to each other."""

from __future__ import annotations

from typing import Final

from visado import errors


class ServerUnreachable(Exception):
    """A directory server gave no usable response. `step` names the step that failed; the text is for operators."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step, self.reason = step, reason


class AllServersPaused(ServerUnreachable):
    """Every server of the directory failed a moment ago, so none is asked."""

    def __init__(self) -> None:
        super().__init__("ask", "every server is paused after a failure")


class ServerRefused(Exception):
    """A directory server refused a request that follows from the settings. `code` is LDAP's result code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class InvalidValue(Exception):
    """A name, a filter or a password cannot be expressed in LDAP."""


class DirectoryUnreachable(errors.Unavailable, id="ldap.directory.unreachable", code=0x04058001):
    """No server of the directory responds. The log has the cause."""

    message = 'The directory "{directory}" cannot be reached.'


class DirectoryRefused(errors.Unavailable, id="ldap.directory.refused", code=0x04058002):
    """The directory refuses a request that follows from its settings. The log has the cause."""

    message = 'The directory "{directory}" refuses the search that its settings describe.'


class EntryNotFound(errors.BadRequest, id="ldap.entry.not_found", code=0x04058003):
    """No entry of the directory matches the credentials."""

    message = "No entry of the directory matches these credentials."


class EntryAmbiguous(errors.BadRequest, id="ldap.entry.ambiguous", code=0x04058004):
    """Several entries match the credentials: credentials must name exactly one entry."""

    message = "Several entries of the directory match these credentials."


class EntryOutside(errors.BadRequest, id="ldap.entry.outside", code=0x04058005):
    """The entry is outside `search_base`, where logins search."""

    message = 'The entry is outside the search base of the directory "{directory}": no login would find it.'


class CredentialsInvalid(errors.BadRequest, id="ldap.credentials.invalid", code=0x04058006):
    """The credentials are not `{username}`, `{dn}` or `{searchBase, searchFilter}`, each with or without `bindDN`."""

    message = "Invalid LDAP credentials: {rule}."


class BindDnForeign(errors.BadRequest, id="ldap.credentials.bind_dn", code=0x04058007):
    """`bindDN` is not the configured `bind_dn`, which performs every search."""

    message = "bindDN is not the bind_dn of the directory's settings."


class EntryPasswordRequired(errors.BadRequest, id="ldap.credentials.password_required", code=0x04058008):
    """A user links an entry to itself without the entry's user name and password."""

    message = "To link an entry to yourself, send its username and password."


class WrongPassword(errors.Forbidden, id="ldap.credentials.password_wrong", code=0x04058009):
    """A user links an entry to itself with a wrong user name or password."""

    message = "Wrong username or password."


class ForbiddenField(errors.Forbidden, id="ldap.search.forbidden_field", code=0x0405800A):
    """A search of credentials uses a field that cannot be searched."""

    message = 'Forbidden field "{field}": only {fields} can be searched and sorted by.'


class AccountDisabled(errors.Unauthorized, id="ldap.account.disabled", code=0x0405800B):
    """The password is right, but the account is disabled in the directory."""

    message = "Account disabled"


class AccountExpired(errors.Unauthorized, id="ldap.account.expired", code=0x0405800C):
    """The password is right, but the account has expired."""

    message = "Account expired"


class PasswordExpired(errors.Unauthorized, id="ldap.account.password_expired", code=0x0405800D):
    """The password is right, but it has expired."""

    message = "Password expired"


class PasswordMustChange(errors.Unauthorized, id="ldap.account.must_change_password", code=0x0405800E):
    """The password is right, but the user must change it in the directory first."""

    message = "User must reset password"


class LogonHours(errors.Unauthorized, id="ldap.account.logon_hours", code=0x0405800F):
    """The password is right, but the account may not log in at this time."""

    message = "Not permitted to log in at this time"


class LogonWorkstation(errors.Unauthorized, id="ldap.account.workstation", code=0x04058010):
    """The password is right, but the account may not log in from this machine."""

    message = "Not permitted to log in from this machine"


class LogonDenied(errors.Unauthorized, id="ldap.account.logon_denied", code=0x04058011):
    """The password is right, but the account may not log in this way."""

    message = "Not permitted to log in this way"


ACCOUNT_ERRORS: Final[dict[str, type[errors.Unauthorized]]] = {
    "hours": LogonHours,
    "workstation": LogonWorkstation,
    "password expired": PasswordExpired,
    "disabled": AccountDisabled,
    "logon type": LogonDenied,
    "expired": AccountExpired,
    "must change": PasswordMustChange,
}
"""The errors about an account that a directory reports only after the right password, by `BindRefusal.reason`."""
