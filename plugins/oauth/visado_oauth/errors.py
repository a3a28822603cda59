"""The errors of visado-oauth."""

from __future__ import annotations

from visado import errors


class ProviderFailed(errors.BadGateway, id="oauth.provider.failed"):
    """The provider gave no usable answer: it redirected, sent too much, failed, or cannot be reached."""

    message = 'The provider "{provider}" gave no usable answer: {reason}.'


class ProviderTimeout(errors.TimedOut, id="oauth.provider.timeout"):
    """The provider did not answer in time."""

    message = 'The provider "{provider}" did not answer within {seconds} seconds.'


class ProviderUnavailable(errors.Unavailable, id="oauth.provider.unavailable"):
    """The provider is switched off for now: its settings, or its discovery, are not in order."""

    message = 'The provider "{provider}" cannot be used at the moment: {reason}.'


class ReturnForbidden(errors.BadRequest, id="oauth.return_to.forbidden"):
    """The settings do not allow to send a browser there."""

    message = 'The settings of "{provider}" do not allow this address in {argument}.'


class IdentityRequired(errors.BadRequest, id="oauth.identity.required"):
    """Credentials of a provider name the identity, as the provider knows it."""

    message = 'Missing "{identifier}": the user\'s identifier at the provider.'


class IdentityInvalid(errors.BadRequest, id="oauth.identity.invalid"):
    """No identity can be this."""

    message = 'Invalid "{field}": {rule}.'


class ProofRequired(errors.Forbidden, id="oauth.identity.proof_required"):
    """Users prove an identity; only administrators name one."""

    message = 'An identity at "{provider}" has to be proved: send the code, state and verifier of a login there.'


class ProofRefused(errors.Forbidden, id="oauth.identity.proof_refused"):
    """The provider did not confirm the identity."""

    message = 'The identity at "{provider}" was not proved.'


class LastCredentials(errors.PreconditionFailed, id="oauth.credentials.last"):
    """Without these credentials the user could not log in any more."""

    message = 'These are the last credentials of user "{user}".'


class DevicePending(errors.PreconditionFailed, id="oauth.device.pending"):
    """The user has not entered the code yet: ask again after `interval` seconds."""

    message = "The code has not been entered yet: ask again in {interval} seconds."


class DeviceUnsupported(errors.BadRequest, id="oauth.device.unsupported"):
    """The provider has no device flow."""

    message = 'The provider "{provider}" has no device flow.'


class InvalidLogoutToken(errors.BadRequest, id="oauth.logout_token.invalid"):
    """The provider's logout token is forged, expired or used."""

    message = "Invalid logout token."


class ProviderRefusedRefresh(errors.Unauthorized, id="oauth.refresh.refused"):
    """The provider does not renew the login: the session has ended."""

    message = 'The provider "{provider}" does not renew this login. Log in again.'


class NoIdentity(errors.NotFound, id="oauth.credentials.not_found"):
    """The user has no identity at this provider."""

    message = 'A strategy does not exist for the user "{user}".'


class UnknownIdentity(errors.BadRequest, id="oauth.credentials.unknown"):
    """Nobody has this identity."""

    message = 'A strategy does not exist for the user "{user}".'
