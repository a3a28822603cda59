"""The errors of the local strategy: those that the wire contract names, and ids for those it leaves bare."""

from __future__ import annotations

from typing_extensions import override

from visado import errors

_WIRE = "plugin.kuzzle-plugin-auth-passport-local"


class LoginForbidden(errors.Unauthorized):
    """The password is right, but must be changed first: `resetToken` lets its owner do it."""

    def __init__(self, reset_token: str) -> None:
        super().__init__()
        self._reset_token = reset_token

    @override
    def extra(self) -> dict[str, object]:
        return {"resetToken": self._reset_token}


class ExpiredPassword(LoginForbidden, id=f"{_WIRE}.expired_password", code=0x04000001):
    """The password is older than a policy allows."""

    message = "Expired password"


class ExpiredResetToken(errors.Unauthorized, id=f"{_WIRE}.expired_token", code=0x04000002):
    """The reset token was valid once."""

    message = "Expired token"


class InvalidResetToken(errors.BadRequest, id=f"{_WIRE}.invalid_token", code=0x04000003):
    """The reset token is forged, used, or older than the password."""

    message = "Invalid token"


class LoginInPassword(errors.BadRequest, id=f"{_WIRE}.login_in_password", code=0x04000004):
    """A policy forbids the user name in the password."""

    message = "Password cannot contain Username"


class MustChangePassword(LoginForbidden, id=f"{_WIRE}.must_change_password", code=0x04000005):
    """Somebody else set the password, and a policy wants its owner to."""

    message = "Password change required"


class ReusedPassword(errors.BadRequest, id=f"{_WIRE}.reused_password", code=0x04000006):
    """A policy forbids one of the last passwords."""

    message = "Cannot reuse password"


class WeakPassword(errors.BadRequest, id=f"{_WIRE}.weak_password", code=0x04000007):
    """A policy's pattern does not match the password."""

    message = "Password is too weak"


class KuidForbidden(errors.BadRequest, id="local.kuid.forbidden", code=0x04008001):
    """Credentials do not say whose they are."""

    message = "kuid cannot be specified in credentials."


class UsernameRequired(errors.BadRequest, id="local.username.required", code=0x04008002):
    """New credentials need a user name."""

    message = "Username required."


class PasswordRequired(errors.BadRequest, id="local.password.required", code=0x04008003):
    """New credentials need a password."""

    message = "Password required."


class PasswordNeeded(errors.BadRequest, id="local.password.needed", code=0x04008004):
    """Credentials were to be created without a password, and without validation."""

    message = "Password needed."


class NothingToChange(errors.BadRequest, id="local.credentials.required", code=0x04008005):
    """A change names a user name, a password, or both."""

    message = "Missing username or password."


class KuidUnexpected(errors.BadRequest, id="local.kuid.unexpected", code=0x04008006):
    """Credentials were to be given to another user, without validation."""

    message = "The request must not contain a kuid attribute."


class InvalidUsername(errors.BadRequest, id="local.username.invalid", code=0x04008007):
    """No user name can be this."""

    message = "Invalid username: {rule}."


class InvalidPassword(errors.BadRequest, id="local.password.invalid", code=0x04008008):
    """No password can be this."""

    message = "Invalid password: {rule}."


class CurrentPasswordRequired(errors.BadRequest, id="local.current_password.required", code=0x04008009):
    """Users prove with `currentPassword` that they may change their credentials."""

    message = "Cannot update credentials: password required."


class CurrentPasswordWrong(errors.Forbidden, id="local.current_password.wrong", code=0x0400800A):
    """`currentPassword` is not the present password."""

    message = "Invalid user or password."


class ForbiddenField(errors.Forbidden, id="local.search.forbidden_field", code=0x0400800B):
    """Credentials are searched by user name alone."""

    message = (
        'Forbidden field "{field}". '
        'Only the "username" or "kuid" fields are sortable and only the first is also searchable.'
    )


class ForbiddenKeyword(errors.BadRequest, id="local.search.forbidden_keyword", code=0x0400800C):
    """Searches of credentials know few words."""

    message = 'The "{keyword}" keyword is not allowed in this search query for security concerns.'


class ResetBodyRequired(errors.BadRequest, id="local.reset.body_required", code=0x0400800D):
    """A reset needs a body with `password` and `token`."""

    message = "Missing request body"


class ResetPasswordRequired(errors.BadRequest, id="local.reset.password_required", code=0x0400800E):
    """A reset needs the new password."""

    message = 'Missing "password" attribute'


class ResetPasswordInvalid(errors.BadRequest, id="local.reset.password_invalid", code=0x0400800F):
    """The new password is no text, or blank."""

    message = "Invalid password supplied. Must be a non-empty string"


class ResetTokenRequired(errors.BadRequest, id="local.reset.token_required", code=0x04008010):
    """A reset needs the reset token."""

    message = 'Missing "token" attribute'


class ResetTokenInvalid(errors.BadRequest, id="local.reset.token_invalid", code=0x04008011):
    """The reset token is no text."""

    message = "Invalid token supplied"


class ResetKuidRequired(errors.BadRequest, id="local.reset.kuid_required", code=0x04008012):
    """A reset token is for a user."""

    message = "Missing kuid"


class ResetKuidInvalid(errors.BadRequest, id="local.reset.kuid_invalid", code=0x04008013):
    """No user of this id has a password."""

    message = "Invalid kuid given"
