"""The catalogue: what is known of providers, as data: a TOML file each, in the package or the operator's folder."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from visado_oauth.claims import compile_path

_CONFIG: Final = ConfigDict(frozen=True, extra="forbid")
_VALUE: Final = re.compile(r"[A-Za-z0-9._~:/-]{1,253}")
_PLACE: Final = re.compile(r"\{([a-z_]+)\}")
_OWN: Final = files("visado_oauth") / "records"

EmailTrust = Literal["claim", "always", "never"]


class Misconfigured(Exception):
    """The provider cannot work as it is configured; the text says what to do, and holds no secret."""


class ProfileRequest(BaseModel):
    """A question to the provider about the user, asked with the access token."""

    model_config = _CONFIG
    url: str
    method: Literal["GET", "POST"] = "GET"
    into: str = Field("", description="The member under which the answer goes; none: the answer's members themselves.")
    optional: bool = Field(False, description="Go on without it.")
    headers: dict[str, str] = {}
    body: dict[str, Any] | None = None
    token: Literal["header", "query"] = "header"  # noqa: S105 - where it goes


class SignedSecret(BaseModel):
    """A client secret that is a JWT, made anew each time: Apple's way."""

    model_config = _CONFIG
    issuer: str
    audience: str
    algorithm: Literal["ES256", "RS256"] = "ES256"


class Sample(BaseModel):
    """Answers from the provider's own documentation, and what is to be understood of them."""

    model_config = _CONFIG
    source: str
    id_token: dict[str, Any] = {}
    userinfo: dict[str, Any] = {}
    token: dict[str, Any] = {}
    responses: list[Any] = Field([], description="The answers to `requests`, in their order.")
    expected: dict[str, Any]


class Record(BaseModel):
    """What is known of a provider. `{names}` in addresses are variables."""

    model_config = _CONFIG
    title: str
    docs: str
    note: str = ""
    variables: dict[str, str] = Field({}, description="Variables and their defaults; empty: the settings must say.")
    issuer: str
    issuer_claim: str | None = Field(None, description="The claim iss, where it depends on other claims: {tid}.")
    metadata_issuer: str | None = Field(None, description="The issuer in the metadata, where it is a pattern.")
    openid: bool = True
    authorize_url: str | None = None
    token_url: str | None = None
    userinfo_url: str | None = None
    jwks_url: str | None = None
    revoke_url: str | None = None
    end_session_url: str | None = None
    device_url: str | None = None
    userinfo: bool = Field(True, description="Whether the UserInfo answer says more than the ID token.")
    algorithms: list[str] | None = None
    scopes: list[str] = []
    scope_separator: str = " "
    token_auth: (
        Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "signed_secret", "none"] | None
    ) = None
    signed_secret: SignedSecret | None = None
    client_id_param: str = Field("client_id", description="How the provider spells it.")
    client_secret_param: str = "client_secret"  # noqa: S105 - a name
    pkce: bool = True
    params: dict[str, str] = {}
    requests: list[ProfileRequest] = []
    claims: dict[str, str] = Field({}, description="Claims by JMESPath over the answers.")
    email_trust: EmailTrust = "claim"
    samples: list[Sample] = []

    @field_validator("claims")
    @classmethod
    def _compile(cls, value: dict[str, str]) -> dict[str, str]:
        for path in value.values():
            compile_path(path)
        return value

    def filled(self, given: Mapping[str, str]) -> Record:
        """Put variables into every address. Raises `Misconfigured`."""
        unknown = sorted(given.keys() - self.variables.keys())
        if unknown:
            raise Misconfigured(f"variables: {self.title} has no {', '.join(unknown)}")
        values = {**self.variables, **given}
        for name, value in values.items():
            if not _VALUE.fullmatch(value) or ".." in value:
                raise Misconfigured(f"variables.{name} is needed: letters, digits, . _ - : / ~")
        changes: dict[str, Any] = {
            name: fill(text, values)
            for name, text in self
            if isinstance(text, str) and (name.endswith("_url") or name == "issuer")
        }
        changes["requests"] = [each.model_copy(update={"url": fill(each.url, values)}) for each in self.requests]
        if self.signed_secret is not None:
            changes["signed_secret"] = self.signed_secret.model_copy(
                update={"issuer": fill(self.signed_secret.issuer, values)}
            )
        return self.model_copy(update=changes)


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put values in the place of their `{names}`; a name without a value stays."""
    return _PLACE.sub(lambda found: values.get(found[1], found[0]), text)


def names(folder: Path | None = None) -> list[str]:
    """List the records, the operator's among them."""
    own = [each.name for each in _OWN.iterdir()]
    theirs = [each.name for each in folder.iterdir()] if folder is not None and folder.is_dir() else []
    return sorted({name.removesuffix(".toml") for name in (*own, *theirs) if name.endswith(".toml")})


def find(name: str, folder: Path | None = None) -> Record:
    """Read a record; the operator's goes before the package's. Raises `Misconfigured`."""
    if name not in names(folder):
        raise Misconfigured(f"the catalogue has no {name!r}: visado oauth:providers lists it")
    theirs = folder / f"{name}.toml" if folder is not None else None
    text = theirs.read_text() if theirs is not None and theirs.is_file() else (_OWN / f"{name}.toml").read_text()
    try:
        return Record.model_validate(tomllib.loads(text))
    except ValidationError as error:
        found = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in found["loc"])
        raise Misconfigured(f"the record {name}.toml is wrong: {place}: {found['msg']}") from None
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"the record {name}.toml is no TOML: {error}") from None
