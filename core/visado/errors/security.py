"""Errors of users, rights, tokens, credentials and strategies."""

from __future__ import annotations

from visado.errors.base import BadRequest, Forbidden, NotFound, PreconditionFailed, Unauthorized


class InvalidToken(Unauthorized, id="security.token.invalid", code=0x07010001):
    """The token is forged, malformed, expired, revoked, or already refreshed."""

    message = "Invalid token."


class TtlExceeded(BadRequest, id="security.token.ttl_exceeded", code=0x07010004):
    """The requested lifetime exceeds the limit."""

    message = "expiresIn value exceeds maximum allowed value"


class TwoTokens(BadRequest, id="security.token.verification_error", code=0x07010007):
    """The request has two tokens: a token and a cookie, two `Authorization` headers, or two bearers."""

    message = "Error verifying token: {cause}"


class RefreshForbidden(Unauthorized, id="security.token.refresh_forbidden", code=0x07010008):
    """Tokens of this kind cannot be refreshed."""

    message = "{what} cannot be refreshed."


class InvalidExpiration(BadRequest, id="security.token.invalid_expiration", code=0x07010009):
    """A token of this kind must have a finite lifetime."""

    message = "Token can not be created with this expiration time: {argument} {rule}"


class UnknownStrategy(BadRequest, id="security.credentials.unknown_strategy", code=0x07020001):
    """No strategy has this name."""

    message = 'Unknown authentication strategy "{strategy}"'


class CredentialsRejected(BadRequest, id="security.credentials.rejected", code=0x07020003):
    """The strategy refuses to create, change or delete these credentials."""

    message = "Credentials rejected: {reason}"


class LoginRequired(Unauthorized, id="security.rights.unauthorized", code=0x07030001):
    """The anonymous user may not run this action: log in first."""

    message = 'Unauthorized: authentication required to execute the action "{controller}:{action}".'


class NotAllowed(Forbidden, id="security.rights.forbidden", code=0x07030002):
    """The user may not run this action."""

    message = 'Insufficient permissions to execute the action "{controller}:{action}" (User "{user}").'


class UserExists(PreconditionFailed, id="security.user.already_exists", code=0x07040001):
    """A user with this id already exists."""

    message = "User {user} already exists."


class UserNotFound(NotFound, id="security.user.not_found", code=0x07040002):
    """No user has this id."""

    message = 'User "{user}" not found.'


class AnonymousProfileRequired(BadRequest, id="security.user.anonymous_profile_required", code=0x07040003):
    """The anonymous user must have the profile `anonymous` and no other."""

    message = "The anonymous user must be assigned to the anonymous profile"


class UserOverwritePrevented(BadRequest, id="security.user.prevent_overwrite", code=0x07040006):
    """Some of the users to load already exist, and `onExistingUsers` is `fail`."""

    message = "Cannot overwrite existing users."


class NoProfile(BadRequest, id="security.user.no_profile", code=0x07040007):
    """A user must have at least one profile."""

    message = 'Cannot load user "{user}": there is no security profiles associated to it'


class RoleNotFound(NotFound, id="security.role.not_found", code=0x07050001):
    """No role has this id."""

    message = 'Role "{role}" not found.'


class AnonymousLoginRequired(BadRequest, id="security.role.login_required", code=0x07050002):
    """The role `anonymous` must allow `auth:login`, otherwise nobody could log in."""

    message = 'Cannot remove the "login" action from the anonymous role.'


class RoleProtected(BadRequest, id="security.role.cannot_delete", code=0x07050003):
    """The roles `anonymous`, `default` and `admin` cannot be deleted."""

    message = "The following roles are protected and cannot be deleted: anonymous, default, admin"


class RoleInUse(PreconditionFailed, id="security.role.in_use", code=0x07050004):
    """The role cannot be deleted: profiles use it."""

    message = 'The role "{role}" is still used and cannot be deleted.'


class UnknownControllerInRole(BadRequest, id="security.role.unknown_controller", code=0x07050009):
    """The role names a controller that does not exist."""

    message = "Trying to set role {role} with a non-existing controller '{controller}'. {hint}"


class UnknownActionInRole(BadRequest, id="security.role.unknown_action", code=0x0705000A):
    """The role names an action that its controller does not have."""

    message = "Trying to set role {role} with a non-existing action '{action}' in controller '{controller}'. {hint}"


class ProfileNotFound(NotFound, id="security.profile.not_found", code=0x07060001):
    """No profile has this id."""

    message = 'Profile "{profile}" not found.'


class ProfileProtected(BadRequest, id="security.profile.cannot_delete", code=0x07060002):
    """The profiles `anonymous`, `default` and `admin` cannot be deleted."""

    message = "The following profiles are protected and cannot be deleted: anonymous, default, admin"


class ProfileInUse(PreconditionFailed, id="security.profile.in_use", code=0x07060003):
    """The profile cannot be deleted: users have it."""

    message = "The profile is still used and cannot be deleted."


class AnonymousRoleRequired(BadRequest, id="security.profile.missing_anonymous_role", code=0x07060005):
    """The profile `anonymous` must have the role `anonymous`."""

    message = "The anonymous profile must include the anonymous role"


class CookiesUnsupported(BadRequest, id="security.cookie.unsupported", code=0x07070002):
    """The settings disable cookie authentication."""

    message = "Cookie authentication not supported."


class ExpiredToken(InvalidToken):
    """The token has expired. The id is that of `InvalidToken`, because clients act on it."""

    message = "Invalid token: it has expired."


class SubjectTaken(PreconditionFailed, id="security.credentials.subject_taken", code=0x07028001):
    """Another user already has credentials with this subject, such as a user name."""

    message = 'Login "{subject}" is already used.'


class UserLinked(PreconditionFailed, id="security.credentials.user_linked", code=0x07028002):
    """The user already has credentials of this strategy."""

    message = 'A strategy already exists for user "{user}".'


class NoCredentials(PreconditionFailed, id="security.credentials.not_found", code=0x07028003):
    """The user, or the subject, has no credentials of this strategy."""

    message = 'No credentials found for {what} "{name}".'


class LoopbackRequired(LoginRequired):
    """Until the host has an administrator, only requests from its own machine may run every action."""

    message = (
        'Unauthorized: authentication required to execute the action "{controller}:{action}". Until this host has an '
        "administrator, only requests from its own machine may run every action: run visado admin:create there, or set "
        "[security] open_bootstrap = true."
    )


class LoginChallenged(Unauthorized, id="security.login.challenged", code=0x07088001):
    """The credentials are valid, and a login check requires a further step, such as a code.

    `result.challenge.data` describes the step. To complete it, send the same login action with
    `result.challenge.reference` as the body's member `challenge`, and with the data that the step requires.
    """

    message = "{reason}"

    def __init__(self, reason: str, challenge: dict[str, object]) -> None:
        super().__init__(reason=reason, check=challenge["check"], reference=challenge["reference"])
        self.challenge = challenge
        self.result = {"challenge": challenge}


class StrategyExists(PreconditionFailed, id="security.strategy.already_exists", code=0x07098001):
    """A strategy of this name already exists."""

    message = 'The strategy "{strategy}" already exists.'


class StrategyDeclared(PreconditionFailed, id="security.strategy.declared", code=0x07098002):
    """The strategy comes from the settings or from a plugin: administrators cannot change it."""

    message = 'The strategy "{strategy}" comes from the settings: change it there, or disable its plugin.'


class StrategyRejected(BadRequest, id="security.strategy.rejected", code=0x07098003):
    """A strategy with these settings would not work."""

    message = "The strategy would not work: {reason}"
