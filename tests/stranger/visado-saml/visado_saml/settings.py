from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field
from visado import Seconds, Section


class SamlSection(Section):
    """Log in with a SAML 2 identity provider."""

    name: ClassVar[str] = "saml"
    entity_id: str = Field("", description="The name of this service provider; default: the address of its endpoint.")
    metadata: Path | None = Field(None, description="The metadata of the identity provider, a file.")
    idp: str = Field("", description="The entity id of the identity provider, if the metadata name several.")
    key: Path | None = Field(None, description="The private key that signs requests, PEM.")
    certificate: Path | None = Field(None, description="The certificate of that key, PEM.")
    binding: Literal["redirect", "post"] = Field("redirect", description="How a browser brings the request.")
    name_id_format: str = Field(
        "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
        description="The format of the NameID that identifies a user for ever.",
    )
    posts_from: frozenset[str] = Field(
        frozenset(), description="The origins whose pages post responses; default: that of the login page."
    )
    after_login: str = Field("/", description="The page to which a browser goes after a login.")
    clock_skew: Seconds = Field(60, ge=0, le=300, description="How far the clocks may differ.")
