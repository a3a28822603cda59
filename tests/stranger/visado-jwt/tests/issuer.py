"""An issuer: an HTTP server with a JWKS document, whose keys rotate, and which can be down or hang."""

import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

RSA = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3)]
EC = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]


class Issuer:
    url = "https://issuer.example"

    def __init__(self):
        self.fetches, self.answer = 0, None
        self.hang, self.stopped = False, threading.Event()
        self.keys = {"r0": RSA[0], "e0": EC[0]}
        self.port = 0
        self.start()

    def start(self):
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.fetches += 1
                if issuer.hang:
                    issuer.stopped.wait()
                    return
                body = issuer.answer if issuer.answer is not None else json.dumps(issuer.jwks()).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.stopped.clear()
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()

    def jwks(self):
        return {"keys": [{**_public(key), "kid": kid, "use": "sig"} for kid, key in self.keys.items()]}

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}/jwks"

    def token(self, kid="r0", key=None, alg=None, headers=None, **claims):
        key = key or self.keys[kid]
        alg = alg or ("RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256")
        claims = {name: value for name, value in self.claims(**claims).items() if value is not None}
        headers = {name: value for name, value in {"kid": kid, **(headers or {})}.items() if value is not None}
        return jwt.PyJWS().encode(json.dumps(claims).encode(), key, alg, headers)

    def claims(self, **others):
        now = int(time.time())
        return {"iss": self.url, "aud": "visado", "sub": "user-0", "iat": now, "exp": now + 300, **others}

    def settings(self, **others):
        return {"issuer": self.url, "audience": "visado", "keys": self.address, **others}

    def config(self, **others):
        return "[jwt]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in self.settings(**others).items())


def _public(key):
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return algorithm.to_jwk(key.public_key(), as_dict=True)


def b64(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(header, claims, secret=None):
    text = f"{b64(header)}.{b64(claims)}"
    signature = b"" if secret is None else hmac.digest(secret, text.encode(), hashlib.sha256)
    return f"{text}.{b64(signature)}"
