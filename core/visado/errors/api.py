"""Errors of the API: arguments, actions and the state of the host."""

from __future__ import annotations

from visado.errors.base import (
    BadRequest,
    InternalError,
    NotFound,
    PreconditionFailed,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)


class UnexpectedError(InternalError, id="core.fatal.unexpected_error", code=0x00000001):
    """The host met an unexpected error. Only its log contains the cause."""

    message = "Caught an unexpected error: {cause}."


class ServiceDown(InternalError, id="core.fatal.service_unavailable", code=0x00000002):
    """The health check found a part of the host that does not work."""

    message = "Service unavailable: {services}."

    def __init__(self, services: str, result: object) -> None:
        super().__init__(services=services)
        self.result = result


class InvalidType(BadRequest, id="api.assert.invalid_type", code=0x02010001):
    """An argument has the wrong type."""

    message = 'Wrong type for argument "{argument}" (expected: {expected})'


class InvalidArgument(BadRequest, id="api.assert.invalid_argument", code=0x02010002):
    """An argument has an invalid value."""

    message = 'Invalid argument "{argument}". Expected: {expected}'


class MissingArgument(BadRequest, id="api.assert.missing_argument", code=0x02010003):
    """A required argument is missing or empty."""

    message = 'Missing argument "{argument}".'


class EmptyArgument(BadRequest, id="api.assert.empty_argument", code=0x02010004):
    """An argument that must not be empty is empty."""

    message = 'The argument "{argument}" is empty.'


class MutuallyExclusive(BadRequest, id="api.assert.mutually_exclusive", code=0x02010005):
    """The request has two arguments that exclude each other."""

    message = 'Arguments "{first}" and "{second}" are mutually exclusive'


class UnexpectedArgument(BadRequest, id="api.assert.unexpected_argument", code=0x02010007):
    """The argument, or its value, is none of those that the action accepts."""

    message = 'Unexpected argument "{argument}" (accepted arguments: {accepted})'


class BodyRequired(BadRequest, id="api.assert.body_required", code=0x02010008):
    """The action requires a body."""

    message = "The request must specify a body."


class ForbiddenArgument(BadRequest, id="api.assert.forbidden_argument", code=0x0201000B):
    """The action does not accept this argument, or not in this place."""

    message = 'The argument "{argument}" is not allowed by this API action.'


class KoncordeRestrictedKeyword(BadRequest, id="api.assert.koncorde_restricted_keyword", code=0x0201000D):
    """Searches do not support this keyword of Koncorde."""

    message = 'The {kind} "{keyword}" of Koncorde DSL is not supported for search queries.'


class ActionLocked(PreconditionFailed, id="api.process.action_locked", code=0x02020001):
    """The action is already running, and can only run once at a time."""

    message = 'Cannot execute action "{action}": already executing.'


class Overloaded(Unavailable, id="api.process.overloaded", code=0x02020002):
    """The host is processing as many requests as it may. The client may retry the request."""

    message = "Request discarded: Kuzzle Server is temporarily overloaded."


class ControllerNotFound(NotFound, id="api.process.controller_not_found", code=0x02020004):
    """No controller has this name."""

    message = 'API controller "{controller}" not found.'


class ActionNotFound(NotFound, id="api.process.action_not_found", code=0x02020005):
    """The controller has no action of this name."""

    message = 'API action "{controller}":"{action}" not found'


class IncompatibleSdkVersion(BadRequest, id="api.process.incompatible_sdk_version", code=0x02020006):
    """The client's SDK speaks another version of the protocol."""

    message = "Incompatible SDK client. Your SDK version ({version}) does not match Kuzzle requirement ({requirement})."


class ShuttingDown(Unavailable, id="api.process.shutting_down", code=0x02020007):
    """The host is stopping and accepts no new requests."""

    message = "Rejected: this node is shutting down."


class TooManyRequestsOfUser(TooManyRequests, id="api.process.too_many_requests", code=0x02020008):
    """The user has sent more requests in one second than the user's profiles allow."""

    message = "Rejected: requests rate limit exceeded for this user."


class AdminExists(PreconditionFailed, id="api.process.admin_exists", code=0x02020009):
    """The host already has an administrator."""

    message = "Admin user is already set."


class UnauthorizedOrigin(Unauthorized, id="api.process.unauthorized_origin", code=0x0202000C):
    """The settings do not allow pages of this origin to send this request."""

    message = 'The origin "{origin}" is not authorized.'


class TooManyLogins(TooManyRequests, id="api.process.too_many_logins_requests", code=0x0202000D):
    """The connection has attempted more logins in one second than the limit allows."""

    message = "Rejected: Too many login attempts per second"


class EventNotRecorded(Unavailable, id="api.process.unobserved", code=0x02028001):
    """An observer that must record every event, such as the audit log, could not do so.

    A login received no token. Any other change was made.
    """

    message = "The event could not be recorded."
