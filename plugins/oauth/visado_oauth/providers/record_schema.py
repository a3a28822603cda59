"""The records of the catalogue: what is known of a provider, as a TOML file describes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from visado_oauth.errors import ProviderMisconfigured
from visado_oauth.openid.claims import EmailTrust, compile_path

_CONFIG: Final = ConfigDict(frozen=True, extra="forbid")
_VARIABLE_VALUE: Final = re.compile(r"[A-Za-z0-9._~:/-]{1,253}")
_VARIABLE: Final = re.compile(r"\{([a-z_]+)\}")


class ProfileRequest(BaseModel):
    """A request for the user's data, sent with the access token."""

    model_config = _CONFIG
    url: str
    method: Literal["GET", "POST"] = "GET"
    into: str = Field("", description="Member that holds the response; empty: the response's own members are merged.")
    optional: bool = Field(False, description="Continue without a response.")
    headers: dict[str, str] = {}
    body: dict[str, Any] | None = None
    token: Literal["header", "query"] = "header"  # noqa: S105 - where the token is sent


class SignedSecret(BaseModel):
    """A client secret that is a JWT, signed for each request, as Apple wants it."""

    model_config = _CONFIG
    issuer: str
    audience: str
    algorithm: Literal["ES256", "RS256"] = "ES256"


class RecordSample(BaseModel):
    """Responses from the provider's documentation, and the claims that the record must read from them."""

    model_config = _CONFIG
    source: str
    id_token: dict[str, Any] = {}
    userinfo: dict[str, Any] = {}
    token: dict[str, Any] = {}
    responses: list[Any] = Field([], description="The responses to `requests`, in their order.")
    expected: dict[str, Any]


class ProviderRecord(BaseModel):
    """What is known of a provider. `{names}` in URLs are variables, which settings fill in."""

    model_config = _CONFIG
    title: str
    docs: str
    note: str = ""
    variables: dict[str, str] = Field({}, description="Variables and their defaults; empty: the settings must set it.")
    issuer: str
    issuer_claim: str | None = Field(None, description="The claim iss where it depends on other claims: {tid}.")
    metadata_issuer: str | None = Field(None, description="The issuer in the discovery document, where it differs.")
    openid: bool = True
    authorize_url: str | None = None
    token_url: str | None = None
    userinfo_url: str | None = None
    jwks_url: str | None = None
    revoke_url: str | None = None
    end_session_url: str | None = None
    device_url: str | None = None
    userinfo: bool = Field(True, description="Whether UserInfo has claims that the ID token lacks.")
    algorithms: list[str] | None = None
    scopes: list[str] = []
    scope_separator: str = " "
    token_auth: (
        Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "signed_secret", "none"] | None
    ) = None
    signed_secret: SignedSecret | None = None
    client_id_param: str = Field("client_id", description="The provider's name for the parameter client_id.")
    client_secret_param: str = "client_secret"  # noqa: S105 - a name
    pkce: bool = True
    params: dict[str, str] = {}
    requests: list[ProfileRequest] = []
    claims: dict[str, str] = Field({}, description="Claims as JMESPaths into the responses.")
    email_trust: EmailTrust = "claim"
    samples: list[RecordSample] = []

    @field_validator("claims")
    @classmethod
    def _check_paths(cls, value: dict[str, str]) -> dict[str, str]:
        for path in value.values():
            compile_path(path)
        return value

    def with_variables(self, given: Mapping[str, str]) -> ProviderRecord:
        """Return the record with the variables filled in every URL. Raises `ProviderMisconfigured`."""
        unknown = sorted(given.keys() - self.variables.keys())
        if unknown:
            raise ProviderMisconfigured(f"variables: {self.title} has no {', '.join(unknown)}")
        values = {**self.variables, **given}
        for name, value in values.items():
            if not _VARIABLE_VALUE.fullmatch(value) or ".." in value:
                raise ProviderMisconfigured(f"variables.{name} is required: letters, digits, . _ - : / ~")
        changes: dict[str, Any] = {
            name: fill_variables(text, values)
            for name, text in self
            if isinstance(text, str) and (name.endswith("_url") or name == "issuer")
        }
        changes["requests"] = [
            each.model_copy(update={"url": fill_variables(each.url, values)}) for each in self.requests
        ]
        if self.signed_secret is not None:
            changes["signed_secret"] = self.signed_secret.model_copy(
                update={"issuer": fill_variables(self.signed_secret.issuer, values)}
            )
        return self.model_copy(update=changes)


def fill_variables(text: str, values: Mapping[str, str]) -> str:
    """Replace each `{name}` by its value; a name without a value stays."""
    return _VARIABLE.sub(lambda match: values.get(match[1], match[0]), text)
