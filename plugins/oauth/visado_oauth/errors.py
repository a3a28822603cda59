"""The errors of visado-oauth: those that clients receive, and those that its modules raise to each other."""

from __future__ import annotations

from visado import errors


class ProviderMisconfigured(Exception):
    """The provider cannot work with these settings; the text says what to change, and holds no secret."""


class RequestBlocked(Exception):
    """A request to a provider is not allowed, or its response is not; the text is for operators, without secrets."""


class OauthError(Exception):
    """The provider responded with an OAuth error. `code` is the error's word, such as `invalid_grant`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class TokenRejected(Exception):
    """A token of the provider fails a check; the text is for the log, and holds nothing of the token."""


class ProviderFailed(errors.BadGateway, id="oauth.provider.failed"):
    """The provider gave no usable response: unreachable, a redirect, a failure, too large, or not JSON."""

    message = 'The provider "{provider}" gave no usable response: {reason}.'


class ProviderTimeout(errors.TimedOut, id="oauth.provider.timeout"):
    """The provider did not respond in time."""

    message = 'The provider "{provider}" did not respond within {seconds} seconds.'


class ProviderUnavailable(errors.Unavailable, id="oauth.provider.unavailable"):
    """The provider cannot be used: its settings are incomplete, or its discovery document cannot be read."""

    message = 'The provider "{provider}" is unavailable: {reason}.'


class ReturnForbidden(errors.BadRequest, id="oauth.return_to.forbidden"):
    """The settings do not list the address to which the browser or the code is to be sent."""

    message = 'The settings of "{provider}" do not allow this address in {argument}.'


class IdentityRequired(errors.BadRequest, id="oauth.identity.required"):
    """Credentials of a provider lack the claim that identifies the user."""

    message = 'Missing "{identifier}": the user\'s identifier at the provider.'


class IdentityInvalid(errors.BadRequest, id="oauth.identity.invalid"):
    """A member of the credentials of a provider is not valid."""

    message = 'Invalid "{field}": {rule}.'


class ProofRequired(errors.Forbidden, id="oauth.identity.proof_required"):
    """A user names an identity: only administrators may. Users prove theirs with `auth:link`."""

    message = 'An identity at "{provider}" needs a proof: log in there with auth:link.'


class LastCredentials(errors.PreconditionFailed, id="oauth.credentials.last"):
    """A user tries to delete the only credentials that it can log in with."""

    message = 'These are the last credentials of user "{user}".'


class DevicePending(errors.PreconditionFailed, id="oauth.device.pending"):
    """The user has not entered the device code yet. Ask again after `interval` seconds."""

    message = "The code has not been entered yet: ask again in {interval} seconds."


class DeviceUnsupported(errors.BadRequest, id="oauth.device.unsupported"):
    """The provider has no device flow."""

    message = 'The provider "{provider}" has no device flow.'


class InvalidLogoutToken(errors.BadRequest, id="oauth.logout_token.invalid"):
    """The provider's logout token is forged, expired or already used."""

    message = "Invalid logout token."


class ProviderRefusedRefresh(errors.Unauthorized, id="oauth.refresh.refused"):
    """The provider refuses to refresh the login, so the session has ended."""

    message = 'The provider "{provider}" refuses to refresh this login. Log in again.'
