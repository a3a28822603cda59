"""The verifier `jwt`."""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
from time import monotonic

import httpx
import jwt
from jwt.types import Options
from visado import AccountRules, Identity, Request, TokenVerifier, Verified

from visado_jwt.errors import KeysUnavailable
from visado_jwt.settings import JwtSection

ALGORITHMS, OPTIONS = ("RS256", "ES256"), Options(require=["exp", "sub"])
REFRESH_SECONDS = 300  # the issuer's keys are read again after this time,
RETRY_SECONDS = 5  # and for an unknown `kid` no sooner than after this;
KEEP_SECONDS = 3_600  # while they cannot be read, those that were read last are good for this long


class JwtVerifier(TokenVerifier):
    """Verifies tokens by the keys that the issuer publishes. The claim `sub` is the subject of the user's identity."""

    name, accounts = "jwt", AccountRules(auto_create=True, content={"name": "name", "email": "email"})

    def __init__(self, section: JwtSection) -> None:
        self._section, self._lock, self._tls = section, asyncio.Lock(), ssl.create_default_context()
        self._keys, self._problem = dict[str | None, jwt.PyJWK](), ""
        self._read_at = self._tried_at = -math.inf

    def problem(self) -> str | None:
        return self._problem or None

    def find(self, request: Request) -> str | None:
        return request.jwt if request.jwt and request.jwt.count(".") == 2 else None

    async def verify(self, credential: str, request: Request) -> Verified | None:
        its = self._section
        try:
            key = await self._key(jwt.get_unverified_header(credential).get("kid"))
            claims = jwt.decode(
                credential, key, ALGORITHMS, OPTIONS, issuer=its.issuer, audience=its.audience, leeway=its.leeway
            )
        except (jwt.PyJWTError, ValueError):
            return None
        expires_at = int((int(claims["exp"]) + its.leeway) * 1_000)
        return Verified(Identity(claims["sub"], claims), expires_at, its.recheck) if claims["sub"] else None

    async def _key(self, kid: str | None) -> jwt.PyJWK:
        """Return a key. Raises `jwt.InvalidKeyError` if the issuer has none of this id, and `KeysUnavailable`."""
        if kid not in self._keys or monotonic() - self._tried_at > REFRESH_SECONDS:
            async with self._lock:
                if monotonic() - self._tried_at > RETRY_SECONDS:
                    await self._read_keys()
                    self._tried_at = monotonic()
        if kid in self._keys:
            return self._keys[kid]
        raise KeysUnavailable if self._problem else jwt.InvalidKeyError

    async def _read_keys(self) -> None:
        try:
            async with asyncio.timeout(3), httpx.AsyncClient(verify=self._tls) as client:
                response = (await client.get(self._section.keys)).raise_for_status()
            keys = jwt.PyJWKSet.from_dict(response.json()).keys
            self._keys = {key.key_id: key for key in keys if key.public_key_use in ("sig", None)}
            self._read_at, self._problem = monotonic(), ""
        except Exception as error:  # whatever is wrong with the answer, the host goes on with the keys that it has
            self._keys = self._keys if monotonic() - self._read_at < KEEP_SECONDS else {}
            self._problem = f"the keys at {self._section.keys} cannot be read: {error!r}"
            logging.getLogger(__name__).warning(self._problem)
