"""An issuer of JWTs with a JWKS document, served over HTTP, and plugins that accept its tokens, a header and Basic."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PAGE = Path(__file__).parents[4] / "docs" / "hooks" / "register_token_verifiers.md"
URL = "https://issuer.example"

HEADERS = """
import base64
from visado import TokenVerifier, Verified, hookimpl

class ProxyUser(TokenVerifier):
    name = "proxy"

    def find(self, request):
        return request.header("x-forwarded-user") if request.connection.trusted else None

    async def verify(self, credential, request):
        return Verified(credential)

class Basic(TokenVerifier):
    name = "basic"

    def find(self, request):
        text = request.header("authorization")
        return text if text is not None and text.startswith("Basic ") else None

    async def verify(self, credential, request):
        try:
            name, _, password = base64.b64decode(credential[6:], validate=True).decode().partition(":")
        except ValueError:
            return None
        return Verified(name) if password == f"password of {name}" else None

@hookimpl
def register_token_verifiers():
    return [ProxyUser(), Basic()]
"""


def example():
    """Return the module of the documentation that accepts the JWTs of an issuer."""
    return re.search(r"^```python plugin=issuer\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)[1]


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Serves its keys on a port of its own; `fetched` counts how often."""

    def __init__(self):
        self.key, self.other = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
        self.fetched, self.down = 0, False
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.fetched += 1
                self.send_response(503 if issuer.down else 200)
                self.end_headers()
                self.wfile.write(json.dumps({"keys": [] if issuer.down else [issuer.jwk(issuer.key)]}).encode())

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.keys = f"http://127.0.0.1:{self._server.server_port}/keys"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def jwk(self, key, kid="1"):
        return {**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}

    def claims(self, **claims):
        now = int(time.time())
        fields = {"iss": URL, "aud": "visado", "sub": "ada", "email": "ada@example.com", "exp": now + 300, **claims}
        return {name: value for name, value in fields.items() if value is not None}

    def token(self, key=None, header=None, **claims):
        return jwt.encode(self.claims(**claims), key or self.key, "RS256", {"kid": "1", **(header or {})})

    def signed_with(self, secret, algorithm="HS256", **claims):
        """Return a token whose signature is an HMAC with any key, which PyJWT would refuse to make."""
        parts = ({"alg": algorithm, "typ": "JWT", "kid": "1"}, self.claims(**claims))
        text = ".".join(b64(json.dumps(part).encode()) for part in parts)
        return f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest()) if secret else ''}"

    @property
    def public_pem(self):
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def public_der(self):
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def forgeries(self):
        """Yield tokens that must be refused, by what is wrong with them."""
        other = self.other
        yield "another key", self.token(other)
        yield "an unknown kid", self.token(other, {"kid": "2"})
        yield "no kid", jwt.encode(self.claims(), self.key, "RS256")
        yield "its own key", self.token(other, {"jwk": self.jwk(other)})
        yield (
            "the address of its key",
            self.token(other, {"jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1"}),
        )
        yield "an audience", self.token(aud="another")
        yield "no audience", self.token(aud=None)
        yield "an issuer", self.token(iss="https://evil.example")
        yield "no issuer", self.token(iss=None)
        yield "expired", self.token(exp=int(time.time()) - 1)
        yield "no end", self.token(exp=None)
        yield "not yet", self.token(nbf=int(time.time()) + 300)
        yield "no subject", self.token(sub=None)
        yield "a subject that is no text", self.token(sub=7)
        yield "an end that is no number", self.token(exp="never")
        for algorithm in ("none", "None", "NONE", ""):
            yield f"the algorithm {algorithm}", self.signed_with(b"", algorithm)
        for name, secret in (("PEM", self.public_pem), ("DER", self.public_der), ("nothing", b"\0")):
            yield f"HS256 with {name}", self.signed_with(secret)
            yield f"RS256 that is HMAC with {name}", self.signed_with(secret, "RS256")
        right = self.token()
        head, claims, signature = right.split(".")
        yield "another end of the signature", f"{head}.{claims}.{signature[:-8]}AAAAAAAA"
        yield "no signature", f"{head}.{claims}."
        yield "other claims", f"{head}.{b64(json.dumps(self.claims(sub='root')).encode())}.{signature}"
        yield "rubbish", "a.b.c"
        yield "empty parts", ".."
        yield "20 KiB", f"{head}.{'A' * 20_000}.{signature}"
