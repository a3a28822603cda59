"""visado-jwt: the JWTs of an issuer, on any request."""

from __future__ import annotations

from collections.abc import Iterable

from visado import Section, Settings, TokenVerifier, hookimpl

from visado_jwt.settings import JwtSection
from visado_jwt.verifier import JwtVerifier


@hookimpl
def register_settings() -> type[Section]:
    """Declare `[jwt]`."""
    return JwtSection


@hookimpl
def register_token_verifiers(settings: Settings) -> Iterable[TokenVerifier]:
    """Register the verifier, once the settings name an issuer."""
    section = settings[JwtSection]
    return [JwtVerifier(section)] if section.issuer and section.audience and section.keys else []
