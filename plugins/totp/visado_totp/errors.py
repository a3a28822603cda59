"""The errors of visado-totp."""

from __future__ import annotations

from visado import errors


class WrongCode(errors.Forbidden, id="totp.code.wrong"):
    """The code is wrong, too old, or was used already."""

    message = "Wrong code, or one that was used already."


class TooManyWrongCodes(errors.TooManyRequests, id="totp.code.too_many"):
    """So many codes of this user were wrong that none is looked at for a while."""

    message = "Too many wrong codes: try again in {seconds} seconds."


class NotEnrolled(errors.PreconditionFailed, id="totp.enrolment.not_found"):
    """The user has no authenticator."""

    message = "No authenticator is enrolled."


class AlreadyEnrolled(errors.PreconditionFailed, id="totp.enrolment.exists"):
    """The user has an authenticator: disable it first."""

    message = "An authenticator is enrolled already."


class InvalidEnrolment(errors.BadRequest, id="totp.enrolment.invalid"):
    """The enrolment is another user's, too old, or made up: begin again."""

    message = "The enrolment is invalid or too old: begin again."


class MayNotDisable(errors.Forbidden, id="totp.enrolment.required"):
    """The settings leave it to administrators to switch the second factor off."""

    message = "Only an administrator may switch this off."


class UnreadableSecret(errors.Unavailable, id="totp.secret.unreadable"):
    """The host's key is not the one with which the user's secret was sealed. Recovery codes still work."""

    message = "The authenticator's secret cannot be read at the moment: use a recovery code."
