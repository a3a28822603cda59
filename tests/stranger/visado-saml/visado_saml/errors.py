from visado import errors


class SamlNotReady(errors.Unavailable, id="saml.provider.not_ready"):
    """The strategy has no identity provider: its settings are incomplete."""

    message = "SAML is not set up."
