"""Tokens that the host issued to ann, and tokens that look like them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from visado.security.tokens.signing import fingerprint

INVALID = "security.token.invalid"

LOGIN = {"username": "ann", "password": "password"}


def with_ann(scene):
    async def run(inside):
        body = {"content": {"profileIds": ["admin"]}, "credentials": {"local": LOGIN}}
        await inside.result("security:createUser", body, _id="ann")
        return await scene(inside)

    return run


async def seed(inside, text, *, key=True):
    """Make a row as if the token had been issued, that only the verifier is in the way."""
    row = {"userId": "ann", "expiresAt": -1, "endsAt": -1, "ttl": -1, "singleUse": False}
    await inside.host.storage.create("tokens", fingerprint(text), row)
    if key:
        document = {"userId": "ann", "description": "", "expiresAt": -1, "ttl": -1, "fingerprint": fingerprint(text)}
        await inside.host.storage.create("api-keys", fingerprint(text), document)


SECRET = "a secret of more than thirty-two bytes"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def segments(header, claims, secret=SECRET, digest=hashlib.sha256):
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
    signed = ".".join(b64(part) for part in parts)
    return f"{signed}.{b64(hmac.new(secret.encode(), signed.encode(), digest).digest())}"
