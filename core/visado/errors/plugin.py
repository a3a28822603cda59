"""Errors of plugins, of strategies, of login checks and of token verifiers."""

from __future__ import annotations

from visado.errors.base import NotFound, PluginError, PreconditionFailed, TimedOut, Unauthorized, Unavailable


class PluginFailed(PluginError, id="plugin.runtime.unexpected_error", code=0x04020002):
    """A plugin, or the host, failed unexpectedly. Only the log contains the cause."""

    message = "Caught an unexpected plugin error: {cause}"


class InvalidOutcome(PluginError, id="plugin.strategy.invalid_verify_resolve", code=0x0403000F):
    """A strategy returned an object that is not an outcome."""

    message = "[{strategy}] invalid authentication strategy result (expected an outcome)."


class InvalidUserId(PluginError, id="plugin.strategy.invalid_kuid", code=0x04030010):
    """A strategy returned a user id that is not a string."""

    message = "[{strategy}] invalid authentication kuid returned: expected a string, got a {kind}."


class UnknownUserId(PluginError, id="plugin.strategy.unknown_kuid", code=0x04030011):
    """A strategy returned the id of a user that does not exist."""

    message = "[{strategy}] returned an unknown user identifier."


class LoginRefused(Unauthorized, id="plugin.strategy.missing_user", code=0x04030014):
    """The strategy or a login check refused the login."""

    message = "{reason}"


class MissingOptionalMethod(PluginError, id="plugin.strategy.missing_optional_method", code=0x04030015):
    """The strategy does not support this operation."""

    message = '"{method}" method is optional. The {strategy} strategy plugin has not yet implemented it.'


class StrategyTimeout(TimedOut, id="plugin.strategy.timeout", code=0x04038001):
    """The strategy did not respond within its time limit."""

    message = 'The strategy "{strategy}" did not answer within {seconds} seconds.'


class CheckTimeout(TimedOut, id="plugin.check.timeout", code=0x04098001):
    """A login check did not decide within its time limit. The login received no token."""

    message = 'The login check "{check}" did not answer within {seconds} seconds.'


class InvalidDecision(PluginError, id="plugin.check.invalid_decision", code=0x04098002):
    """A login check returned an object that is not a decision. The login received no token."""

    message = "[{check}] invalid login check result (expected a decision)."


class CheckOutOfService(Unavailable, id="plugin.check.out_of_service", code=0x04098003):
    """A login check has failed.

    Every login is refused until the check works again, or an administrator disables its plugin.
    """

    message = 'The login check "{check}" is out of service.'


class VerifierTimeout(TimedOut, id="plugin.verifier.timeout", code=0x040B8001):
    """A token verifier did not verify a credential within its time limit."""

    message = 'The token verifier "{verifier}" did not answer within {seconds} seconds.'


class InvalidVerification(PluginError, id="plugin.verifier.invalid_result", code=0x040B8002):
    """A token verifier returned an object that is neither `Verified` nor None, or one with members of wrong types."""

    message = "[{verifier}] invalid token verifier result (expected Verified or None)."


class PluginNotFound(NotFound, id="plugin.switch.not_found", code=0x040A8001):
    """No plugin of this name is installed."""

    message = 'No plugin "{plugin}" is installed.'


class PluginRequired(PreconditionFailed, id="plugin.switch.needed", code=0x040A8002):
    """The host requires this plugin: it cannot be disabled."""

    message = 'The plugin "{plugin}" cannot be disabled: {reason}.'


class PluginNotLoaded(PreconditionFailed, id="plugin.switch.absent", code=0x040A8003):
    """The plugin was not loaded at start-up, because the settings disable it or because it failed.

    Correct the cause and restart the host.
    """

    message = 'The plugin "{plugin}" was not loaded: {reason}.'
