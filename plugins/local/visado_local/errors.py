"""The errors of visado-local. The wire contract names the first seven; it gives no id to the others."""

from __future__ import annotations

from typing_extensions import override

from visado import errors

_CONTRACT_PREFIX = "plugin.kuzzle-plugin-auth-passport-local"


class LoginForbidden(errors.Unauthorized):
    """The password is right, but must be changed before the login: `resetToken` resets it."""

    def __init__(self, reset_token: str) -> None:
        super().__init__()
        self._reset_token = reset_token

    @override
    def extra(self) -> dict[str, object]:
        return {"resetToken": self._reset_token}


class ExpiredPassword(LoginForbidden, id=f"{_CONTRACT_PREFIX}.expired_password", code=0x04000001):
    """The password is older than a policy allows."""

    message = "Expired password"


class ExpiredResetToken(errors.Unauthorized, id=f"{_CONTRACT_PREFIX}.expired_token", code=0x04000002):
    """The reset token has expired."""

    message = "Expired token"


class InvalidResetToken(errors.BadRequest, id=f"{_CONTRACT_PREFIX}.invalid_token", code=0x04000003):
    """The reset token is invalid, was used already, or is older than the password."""

    message = "Invalid token"


class LoginInPassword(errors.BadRequest, id=f"{_CONTRACT_PREFIX}.login_in_password", code=0x04000004):
    """A policy forbids the user name in the password."""

    message = "Password cannot contain Username"


class MustChangePassword(LoginForbidden, id=f"{_CONTRACT_PREFIX}.must_change_password", code=0x04000005):
    """An administrator has set the password, and a policy requires the user to change it."""

    message = "Password change required"


class ReusedPassword(errors.BadRequest, id=f"{_CONTRACT_PREFIX}.reused_password", code=0x04000006):
    """A policy forbids this password: it is one of the user's last passwords."""

    message = "Cannot reuse password"


class WeakPassword(errors.BadRequest, id=f"{_CONTRACT_PREFIX}.weak_password", code=0x04000007):
    """The pattern of a policy does not match the password."""

    message = "Password is too weak"


class KuidForbidden(errors.BadRequest, id="local.kuid.forbidden", code=0x04008001):
    """Credentials may not contain `kuid`: the request names the user."""

    message = "kuid cannot be specified in credentials."


class MissingUsername(errors.BadRequest, id="local.username.required", code=0x04008002):
    """New credentials must contain a user name."""

    message = "Username required."


class MissingPassword(errors.BadRequest, id="local.password.required", code=0x04008003):
    """New credentials must contain a password."""

    message = "Password required."


class MissingNewPassword(errors.BadRequest, id="local.password.needed", code=0x04008004):
    """New credentials contain no password, and were not validated before."""

    message = "Password needed."


class NothingToChange(errors.BadRequest, id="local.credentials.required", code=0x04008005):
    """An update must contain a user name, a password, or both."""

    message = "Missing username or password."


class KuidUnexpected(errors.BadRequest, id="local.kuid.unexpected", code=0x04008006):
    """An update may not contain `kuid`: credentials cannot be given to another user."""

    message = "The request must not contain a kuid attribute."


class InvalidUsername(errors.BadRequest, id="local.username.invalid", code=0x04008007):
    """The value is not a valid user name."""

    message = "Invalid username: {rule}."


class InvalidPassword(errors.BadRequest, id="local.password.invalid", code=0x04008008):
    """The value is not a valid password."""

    message = "Invalid password: {rule}."


class CurrentPasswordRequired(errors.BadRequest, id="local.current_password.required", code=0x04008009):
    """Users must send `currentPassword` to change their credentials."""

    message = "Cannot update credentials: password required."


class CurrentPasswordWrong(errors.Forbidden, id="local.current_password.wrong", code=0x0400800A):
    """`currentPassword` is not the current password."""

    message = "Invalid user or password."


class ForbiddenSearchField(errors.Forbidden, id="local.search.forbidden_field", code=0x0400800B):
    """A search of credentials uses a field other than the user name."""

    message = (
        'Forbidden field "{field}". '
        'Only the "username" or "kuid" fields are sortable and only the first is also searchable.'
    )


class ForbiddenSearchKeyword(errors.BadRequest, id="local.search.forbidden_keyword", code=0x0400800C):
    """A search of credentials uses a keyword that is not allowed."""

    message = 'The "{keyword}" keyword is not allowed in this search query for security concerns.'


class ResetBodyRequired(errors.BadRequest, id="local.reset.body_required", code=0x0400800D):
    """The request has no body: it must contain `password` and `token`."""

    message = "Missing request body"


class ResetPasswordRequired(errors.BadRequest, id="local.reset.password_required", code=0x0400800E):
    """The body does not contain the new password."""

    message = 'Missing "password" attribute'


class ResetPasswordInvalid(errors.BadRequest, id="local.reset.password_invalid", code=0x0400800F):
    """The new password is not a text, or is blank."""

    message = "Invalid password supplied. Must be a non-empty string"


class ResetTokenRequired(errors.BadRequest, id="local.reset.token_required", code=0x04008010):
    """The body does not contain the reset token."""

    message = 'Missing "token" attribute'


class ResetTokenInvalid(errors.BadRequest, id="local.reset.token_invalid", code=0x04008011):
    """The reset token is not a text."""

    message = "Invalid token supplied"


class ResetKuidRequired(errors.BadRequest, id="local.reset.kuid_required", code=0x04008012):
    """The request names no user."""

    message = "Missing kuid"


class ResetKuidInvalid(errors.BadRequest, id="local.reset.kuid_invalid", code=0x04008013):
    """No user with this id has a password."""

    message = "Invalid kuid given"
