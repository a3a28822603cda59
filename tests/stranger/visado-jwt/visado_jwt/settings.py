"""The settings: `[jwt]`."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator
from visado import Seconds, Section


class JwtSection(Section):
    """Accept the JWTs of an issuer on any request."""

    name: ClassVar[str] = "jwt"
    issuer: str = Field("", description="The issuer, as in the claim `iss`.")
    audience: str = Field("", description="Which `aud` the tokens must have: tokens for others are refused.")
    keys: str = Field("", pattern=r"^(https?://\S+)?$", description="The address of the issuer's JWKS document.")
    leeway: Seconds = Field(30, ge=0, le=300, description="By how much the clocks of issuer and host may differ.")
    recheck: Seconds = Field(60, ge=0, le=86_400, description="For how long a verified token is not verified again.")

    @model_validator(mode="after")
    def _names_an_issuer_or_none(self) -> Self:
        if len({bool(each) for each in (self.issuer, self.audience, self.keys)}) == 2:
            raise ValueError("issuer, audience and keys belong together: set all of them, or none")
        return self
