# pyright: reportMissingTypeStubs=false
"""The messages of SAML, by pysaml2. It starts a process for each signature: call these methods in a thread."""

import base64
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.client import Saml2Client
from saml2.config import SPConfig
from saml2.saml import SCM_BEARER
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

from visado_saml.settings import SamlSection

# pysaml2 logs a traceback for each message that it refuses, and names. The strategy logs a line of its own.
logging.getLogger("saml2").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Login:
    """Who logged in at the provider. `ends` is when the session there ends, in ms since 1970."""

    name_id: str
    index: str
    profile: dict[str, Any]
    ends: int | None


@dataclass(frozen=True)
class Logout:
    """Whose sessions ended at the provider (without `indexes`, all), and where the browser goes with the reply."""

    name_id: str
    indexes: list[str]
    location: str


class Provider:
    def __init__(self, section: SamlSection, url: str) -> None:
        self._url, self._post, self._name_id_format = url, section.binding == "post", section.name_id_format
        self._config = cast(Any, SPConfig)()
        self._config.load(_configuration(section, url))
        # pysaml2 reads this setting of identity providers for the logout requests that service providers receive, too.
        self._config.setattr("idp", "want_authn_requests_signed", True)
        [self._id] = [section.idp] if section.idp else list(self._config.metadata.identity_providers())
        binding = BINDING_HTTP_POST if self._post else BINDING_HTTP_REDIRECT
        self._login: str = self._config.metadata.single_sign_on_service(self._id, binding)[0]["location"]
        login = urlsplit(self._login)
        self.origin = f"{login.scheme}://{login.netloc}"

    def ask(self, reference: str) -> tuple[str, str, dict[str, str] | None]:
        """Return the id of a new request, and the address and the form with which a browser brings it."""
        client = self._client()
        options = {"nameid_format": self._name_id_format, "sign": self._post}
        request_id, message = client.create_authn_request(self._login, **options)
        if self._post:
            encoded = base64.b64encode(str(message).encode()).decode()
            return request_id, self._login, {"SAMLRequest": encoded, "RelayState": reference}
        return request_id, _redirected(client, str(message), self._login, reference), None

    def accept(self, text: object, request_id: str) -> Login:
        """Return who logged in, by the response to a request. Raises any error where it is not to be believed."""
        response = self._client().parse_authn_request_response(text, BINDING_HTTP_POST, {request_id: ""})
        # pysaml2 has checked the signature and the times, and the audience and the request where they are named.
        assertion, name_id, [login] = response.assertion, response.name_id, response.assertion.authn_statement
        if assertion.issuer.text.strip() != self._id or not assertion.conditions.audience_restriction:
            raise ValueError("the assertion is of another identity provider, or for nobody")
        for each in assertion.subject.subject_confirmation:
            data = each.subject_confirmation_data
            this = each.method == SCM_BEARER and data.in_response_to == request_id and data.recipient == self._url
            if not this or not data.not_on_or_after:
                raise ValueError("the assertion does not answer this login")
        if name_id.format != self._name_id_format or not name_id.text:
            raise ValueError(f"the NameID has the format {name_id.format}")
        profile = {name: values[0] if len(values) == 1 else values for name, values in response.ava.items()}
        ends = response.session_not_on_or_after * 1000 or None
        return Login(name_id.text, login.session_index or "", profile, ends)

    def log_out(self, query: Mapping[str, str]) -> Logout:
        """Return whose sessions a logout request ends. Raises any error where it is not to be believed."""
        client, state = self._client(), query.get("RelayState")
        proof = {"relay_state": state, "sigalg": query.get("SigAlg"), "signature": query.get("Signature")}
        message = client.parse_logout_request(query["SAMLRequest"], BINDING_HTTP_REDIRECT, **proof).message
        if message.issuer.text.strip() != self._id:
            raise ValueError("the logout request is of another identity provider")
        to = client.response_args(message, [BINDING_HTTP_REDIRECT])["destination"]
        reply = str(client.create_logout_response(message, [BINDING_HTTP_REDIRECT]))
        location = _redirected(client, reply, to, state or "", response=True)
        return Logout(message.name_id.text, [each.text for each in message.session_index], location)

    def _client(self) -> Any:
        """Make a client for one message: a client keeps what it has read, and is not made for several threads."""
        return cast(Any, Saml2Client)(self._config)


def _configuration(section: SamlSection, url: str) -> dict[str, Any]:
    files = {"key_file": str(section.key), "cert_file": str(section.certificate)}
    endpoints = {
        "assertion_consumer_service": [(url, BINDING_HTTP_POST)],
        "single_logout_service": [(url, BINDING_HTTP_REDIRECT)],
    }
    return {
        "entityid": section.entity_id or url,
        "service": {"sp": {"endpoints": endpoints, "want_assertions_signed": True, "want_response_signed": False}},
        "metadata": {"local": [str(section.metadata)]},
        "signing_algorithm": SIG_RSA_SHA256,
        "digest_algorithm": DIGEST_SHA256,
        "accepted_time_diff": section.clock_skew,
        "allow_unknown_attributes": True,
        "encryption_keypairs": [files],
        **files,
    }


def _redirected(client: Any, message: str, location: str, state: str, *, response: bool = False) -> str:
    sent = client.apply_binding(BINDING_HTTP_REDIRECT, message, location, state, response=response, sign=True)
    return dict(sent["headers"])["Location"]
