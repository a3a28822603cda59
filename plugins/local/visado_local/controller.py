"""The controller that resets passwords, under the name that the wire contract gives it."""

from __future__ import annotations

from typing import ClassVar

from visado import BodyAny, Controller, Fields, Host, Request, Text, action, get, post
from visado_local.errors import (
    InvalidResetToken,
    ResetBodyRequired,
    ResetKuidRequired,
    ResetPasswordInvalid,
    ResetPasswordRequired,
    ResetTokenInvalid,
    ResetTokenRequired,
)
from visado_local.strategy import LocalStrategy


class PasswordController(Controller):
    """Resets a forgotten or expired password with a token, from an administrator or from a refused login."""

    name: ClassVar[str] = "kuzzle-plugin-auth-passport-local/password"

    def __init__(self, strategy: LocalStrategy, host: Host) -> None:
        self._strategy, self._users, self._logins = strategy, host.users, host.logins

    @action(
        get("/_plugin/kuzzle-plugin-auth-passport-local/password/resetToken/:_id"),
        get("/_/password/resetToken/:_id"),
    )
    async def get_reset_password_token(self, request: Request, id: Text = "") -> Fields:  # noqa: ARG002
        """Issue a token that resets the password of a user once: `{resetToken}`."""
        if not id:
            raise ResetKuidRequired
        return {"resetToken": await self._strategy.reset_token(id)}

    @action(
        post("/_plugin/kuzzle-plugin-auth-passport-local/password/reset"),
        post("/_/password/reset"),
    )
    async def reset(self, request: Request, password: BodyAny = None, token: BodyAny = None) -> Fields:
        """Set a password with a reset token, and log in with it: `{_id, jwt, expiresAt, ttl}`."""
        if request.body is None:
            raise ResetBodyRequired
        if password is None:
            raise ResetPasswordRequired
        if not isinstance(password, str) or not password.strip():
            raise ResetPasswordInvalid
        if token is None:
            raise ResetTokenRequired
        if not isinstance(token, str) or not token:
            raise ResetTokenInvalid
        user_id = await self._strategy.reset_password(token, password)
        user = await self._users.get(user_id)
        if user is None:
            raise InvalidResetToken
        return await self._logins.complete(user, self._strategy.name)
