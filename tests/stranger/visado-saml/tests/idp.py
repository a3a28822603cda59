"""A SAML 2 identity provider for the tests: pysaml2's server behind one button. Run: idp.py FOLDER PORT."""

import base64
import datetime
import html
import sys
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, class_name, saml, samlp
from saml2.authn_context import PASSWORD
from saml2.config import IdPConfig, SPConfig
from saml2.metadata import create_metadata_string
from saml2.server import Server
from saml2.sigver import pre_signature_part, signed_instance_factory
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

PERSISTENT, TRANSIENT = saml.NAMEID_FORMAT_PERSISTENT, saml.NAMEID_FORMAT_TRANSIENT


@cache
def private_key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def make_key(folder: Path, name: str) -> dict[str, str]:
    key, subject = private_key(name), x509.Name.from_rfc4514_string(f"CN={name}")
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    certificate = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(1)).sign(key, hashes.SHA256())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.key").write_bytes(key.private_bytes(*form))
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return files(folder, name)


def files(folder: Path, name: str) -> dict[str, str]:
    return {"key_file": str(folder / f"{name}.key"), "cert_file": str(folder / f"{name}.crt")}


def configuration(folder: Path, base: str, key: str = "idp") -> dict:
    endpoints = {
        "single_sign_on_service": [(f"{base}/sso", BINDING_HTTP_REDIRECT), (f"{base}/sso", BINDING_HTTP_POST)],
        "single_logout_service": [(f"{base}/slo", BINDING_HTTP_REDIRECT)],
    }
    idp = {"endpoints": endpoints, "name_id_format": [PERSISTENT], "want_authn_requests_signed": True}
    return {"entityid": f"{base}/metadata", "service": {"idp": idp}, **files(folder, key)}


def write_metadata(folder: Path, base: str, acs: str) -> None:
    """Write the keys and the metadata of both sides."""
    make_key(folder, "idp"), make_key(folder, "sp"), make_key(folder, "thief")
    (folder / "idp.xml").write_bytes(create_metadata_string(None, IdPConfig().load(configuration(folder, base))))
    for name, url in {"sp": acs, "other": "http://other.example/acs"}.items():
        endpoints = {
            "assertion_consumer_service": [(url, BINDING_HTTP_POST)],
            "single_logout_service": [(url, BINDING_HTTP_REDIRECT)],
        }
        sp = {
            "entityid": url,
            "service": {"sp": {"endpoints": endpoints}},
            **files(folder, "sp"),
            "encryption_keypairs": [files(folder, "sp")],
        }
        (folder / f"{name}.xml").write_bytes(create_metadata_string(None, SPConfig().load(sp)))


class Idp:
    def __init__(self, folder: Path, base: str, key: str = "idp") -> None:
        metadata = {"metadata": {"local": [str(folder / "sp.xml"), str(folder / "other.xml")]}}
        self.base = base
        self.server = Server(config=IdPConfig().load({**configuration(folder, base, key), **metadata}))

    def read(self, message: str, binding: str, query: dict | None = None):
        proof = (
            {"relay_state": query.get("RelayState"), "sigalg": query.get("SigAlg"), "signature": query.get("Signature")}
            if query
            else {}
        )
        return self.server.parse_authn_request(message, binding, **proof).message

    def respond(self, request_id: str, acs: str, name: str = "ada-7", **changes) -> str:
        name_id = saml.NameID(format=changes.pop("format", PERSISTENT), text=name)
        attributes = changes.pop(
            "attributes", {"displayName": ["Ada"], "mail": ["ada@example.org"], "groups": ["a", "b"]}
        )
        change = changes.pop("change", None)
        arguments = {
            "identity": attributes,
            "in_response_to": request_id,
            "destination": acs,
            "sp_entity_id": acs,
            "name_id": name_id,
            "userid": name,
            "sign_assertion": change is None,
            "sign_response": False,
            "authn": {"class_ref": PASSWORD, "authn_auth": self.base},
            **changes,
        }
        response = self.server.create_authn_response(**arguments)
        if change is None:
            return str(response)
        change(response)
        assertion, security = response.assertion, self.server.sec
        algorithms = {"sign_alg": SIG_RSA_SHA256, "digest_alg": DIGEST_SHA256}
        assertion.signature = pre_signature_part(assertion.id, security.my_cert, 1, **algorithms)
        return str(signed_instance_factory(response, security, [(class_name(assertion), assertion.id)]))

    def log_out(self, acs: str, name: str, indexes: list[str], *, sign: bool = True) -> str:
        name_id = saml.NameID(format=PERSISTENT, text=name)
        _, message = self.server.create_logout_request(
            acs, self.server.config.entityid, name_id=name_id, session_indexes=indexes or None, sign=False
        )
        sent = self.server.apply_binding(BINDING_HTTP_REDIRECT, str(message), acs, "back", sign=sign)
        return dict(sent["headers"])["Location"]


def encoded(xml: str) -> str:
    return base64.b64encode(xml.encode()).decode()


def page(action: str, fields: dict[str, str], head: str = "") -> str:
    inputs = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in fields.items()
    )
    return f'<!doctype html><title>Provider</title>{head}<form method="post" action="{html.escape(action)}">{inputs}<button>Log in</button></form>'


class Handler(BaseHTTPRequestHandler):
    idp: Idp
    headers_sent: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        match parts.path:
            case "/sso":
                self.ask(self.idp.read(query["SAMLRequest"], BINDING_HTTP_REDIRECT, query), query["RelayState"])
            case "/slo":
                self.send("<!doctype html><title>Logged out</title>")
            case "/page":  # a page of this origin that posts what the address says
                self.send(page(query.pop("action"), query))
            case "/policy":
                Handler.headers_sent = query
                self.send("")
            case _:
                self.send_error(404)

    def do_POST(self) -> None:
        fields = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        if self.path == "/sso":
            self.ask(self.idp.read(fields["SAMLRequest"], BINDING_HTTP_POST), fields["RelayState"])
        else:  # the button
            response = self.idp.respond(fields["id"], fields["acs"])
            form = page(fields["acs"], {"SAMLResponse": encoded(response), "RelayState": fields["state"]})
            self.send(form + "<script>document.forms[0].submit()</script>")

    def ask(self, request: samlp.AuthnRequest, state: str) -> None:
        acs = request.assertion_consumer_service_url
        self.send(page("/button", {"id": request.id, "acs": acs, "state": state}))

    def send(self, body: str) -> None:
        self.send_response(200)
        for name, value in {"Content-Type": "text/html; charset=utf-8", **self.headers_sent}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_) -> None:
        pass


if __name__ == "__main__":
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    Handler.idp = Idp(folder, f"http://localhost:{port}")
    print("ready", flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
