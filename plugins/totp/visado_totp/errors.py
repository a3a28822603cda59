"""The errors of visado-totp."""

from __future__ import annotations

from visado import errors


class WrongCode(errors.Forbidden, id="totp.code.wrong"):
    """The code is wrong, has expired, or was already used."""

    message = "Wrong code, or one that was used already."


class TooManyWrongCodes(errors.TooManyRequests, id="totp.code.too_many"):
    """The user's limit of wrong codes is reached: the host checks no code of this user for some time."""

    message = "Too many wrong codes: try again in {seconds} seconds."


class NotEnrolled(errors.PreconditionFailed, id="totp.enrolment.not_found"):
    """The user has not enrolled an authenticator."""

    message = "No authenticator is enrolled."


class AlreadyEnrolled(errors.PreconditionFailed, id="totp.enrolment.exists"):
    """The user has already enrolled an authenticator: disable that one first."""

    message = "An authenticator is enrolled already."


class InvalidEnrolment(errors.BadRequest, id="totp.enrolment.invalid"):
    """The enrolment has expired, was offered to another user, or was not made by this host."""

    message = "The enrolment is invalid or has expired: request another offer with totp:begin."


class MayNotDisable(errors.Forbidden, id="totp.enrolment.required"):
    """The setting `totp.may_disable` allows administrators only to disable the second factor of a user."""

    message = "Only an administrator may disable the second factor."


class UnreadableSecret(errors.Unavailable, id="totp.secret.unreadable"):
    """The host cannot decrypt the user's secret: it was sealed with another key. Recovery codes still work."""

    message = "The secret of the authenticator cannot be read: use a recovery code."
