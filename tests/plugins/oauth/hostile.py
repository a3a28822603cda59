"""A hostile provider. A code contains the response that it causes: see `code`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, RSAKey

SECRET = "a-secret-of-the-hostile-provider-of-64-bytes-so-that-HMAC-likes-it"
_RSA = [RSAKey.generate_key(2048, {"kid": f"rsa-{number}"}) for number in range(3)]
_EC = ECKey.generate_key("P-256", {"kid": "ec"})


def pack(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def unpack(text):
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def code(sub, nonce=None, **orders):
    """Return a code. Orders: claims, drop, alg, kid, key, token, userinfo, header, error."""
    return pack({"sub": sub, "nonce": nonce, **orders})


class Hostile:
    """The provider, in its own threads."""

    def __init__(self):
        outer = self

        class Answers(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.answer(self, {})

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
                outer.answer(self, {name: values[0] for name, values in parse_qs(body).items()})

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 256

        self._server = Server(("127.0.0.1", 0), Answers)
        self._server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.modes = {}
        self.metadata = {}
        self.asked = []
        self.forms = []
        self.headers = []
        self.published = [_RSA[0], _EC]
        self.halt = threading.Event()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self):
        self.halt.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def count(self, path):
        return sum(each == path for each in self.asked)

    def answer(self, http, form):
        path = urlsplit(http.path).path
        self.asked.append(path)
        self.forms.append((path, form))
        self.headers.append((path, dict(http.headers)))
        mode = self.modes.get(path)
        if mode is not None:
            self._misbehave(http, mode)
            return
        status, found = {
            "/.well-known/openid-configuration": self._metadata,
            "/jwks": self._jwks,
            "/token": self._token,
            "/userinfo": lambda _: self._userinfo(http),
        }.get(path, lambda _: (404, {"error": "not_found"}))(form)
        _send(http, status, json.dumps(found).encode())

    def _misbehave(self, http, mode):
        if mode == "redirect":
            _send(http, 302, b"", ("location", "http://169.254.169.254/latest/meta-data/"))
        elif mode == "hang":
            self.halt.wait(30)
        elif mode == "drip":
            http.send_response(200)
            http.end_headers()
            try:
                while not self.halt.wait(0.1):
                    http.wfile.write(b" ")
            except OSError:
                pass
        elif mode == "huge":
            http.send_response(200)
            http.send_header("content-type", "application/json")
            http.end_headers()
            self.sent = 0
            try:
                while not self.halt.is_set() and self.sent < 10_000_000_000:
                    http.wfile.write(b"[" * 65_536)
                    self.sent += 65_536
            except OSError:
                pass
            http.close_connection = True
        elif mode == "bomb":
            _send(http, 200, b"\x1f\x8b\x08" + b"\0" * 100, ("content-encoding", "gzip"))
        elif mode == "html":
            _send(http, 200, b"<html>hello</html>")
        elif mode == "deep":
            _send(http, 200, b"[" * 100_000)
        elif mode == "cut":
            http.close_connection = True
        else:
            _send(http, mode, b"{}")

    def _metadata(self, _):
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            **self.metadata,
        }
        return 200, {name: value for name, value in found.items() if value is not None}

    def _jwks(self, _):
        return 200, {"keys": [key.as_dict(private=False) for key in self.published]}

    def _userinfo(self, http):
        orders = unpack(http.headers["authorization"].removeprefix("Bearer "))
        return 200, orders.get("userinfo", {"sub": orders["sub"]})

    def _token(self, form):
        try:
            orders = unpack(form.get("code") or form["refresh_token"])
        except (KeyError, ValueError):
            return 400, {"error": "invalid_grant", "error_description": "no such code"}
        if not isinstance(orders, dict) or "sub" not in orders:
            return 400, {"error": "invalid_grant"}
        if "error" in orders:
            return orders.get("status", 400), {"error": orders["error"]}
        access = form.get("code") or form["refresh_token"]
        answer = {"access_token": access, "token_type": "Bearer", "id_token": self.id_token(orders, access)}
        answer |= orders.get("token", {})
        return 200, {name: value for name, value in answer.items() if value is not None}

    def id_token(self, orders, access=""):
        half = hashlib.sha256(access.encode()).digest()[:16]
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": "hosts-id",
            "sub": orders["sub"],
            "nonce": orders.get("nonce"),
            "iat": now,
            "exp": now + 300,
            "at_hash": base64.urlsafe_b64encode(half).decode().rstrip("="),
            **orders.get("claims", {}),
        }
        claims = {name: value for name, value in claims.items() if name not in orders.get("drop", ())}
        return sign(claims, orders)


def sign(claims, orders):
    algorithm = orders.get("alg", "RS256")
    header = {
        "alg": algorithm,
        "kid": orders.get("kid", "ec" if algorithm == "ES256" else "rsa-0"),
        **orders.get("header", {}),
    }
    header = {name: value for name, value in header.items() if value is not None}
    text = f"{pack(header)}.{pack(claims)}"
    key = orders.get("key")
    if algorithm == "none":
        return f"{text}."
    if key == "public":  # the public key as the secret of an HMAC
        made = hmac.digest(_RSA[0].as_pem(private=False), text.encode(), "sha256")
    elif algorithm == "HS256":
        made = hmac.digest(SECRET.encode(), text.encode(), "sha256")
    elif algorithm == "ES256":
        first, second = decode_dss_signature(_EC.get_op_key("sign").sign(text.encode(), ECDSA(SHA256())))
        made = first.to_bytes(32, "big") + second.to_bytes(32, "big")
    else:
        signer = _RSA[{"other": 1, "third": 2}.get(key, 0)]
        made = signer.get_op_key("sign").sign(text.encode(), PKCS1v15(), SHA256())
    return f"{text}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"


def rotate(provider, number):
    """Publish another key."""
    provider.published = [_RSA[number]]


def _send(http, status, body, *headers):
    try:
        http.send_response(status)
        for name, text in (("content-type", "application/json"), ("content-length", str(len(body))), *headers):
            http.send_header(name, text)
        http.end_headers()
        http.wfile.write(body)
    except OSError:
        pass
