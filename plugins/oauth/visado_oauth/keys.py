"""Keys: a provider's, with which its tokens are verified, and ours. The one module that touches joserfc."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from visado_oauth.values import is_list, is_object

Key = RSAKey | ECKey | OKPKey
Found = Callable[[], Awaitable[Mapping[str, Any]]]

_REST: Final = 60.0
_BREATH: Final = 5.0
_STALE: Final = 86_400.0
_MOST_KEYS: Final = 100
_LONGEST: Final = 65_536
_SMALLEST_RSA: Final = 2_048
_KINDS: Final = {"RS": ("RSA",), "PS": ("RSA",), "ES": ("EC",), "Ed": ("OKP",)}
_HASHES: Final = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


class Forged(Exception):
    """A token is not what it says. The text is for the log, and holds nothing of the token."""


class Keys:
    """The keys of one provider: remembered, and asked for anew when a token names one that is not known.

    However many tokens do so, the provider is asked at most once a minute.
    """

    def __init__(self, found: Found, clock: Callable[[], float] = time.monotonic) -> None:
        self._found, self._clock = found, clock
        self._keys: tuple[Key, ...] = ()
        self._asked_at: float | None = None
        self._failed: tuple[float, Exception] | None = None
        self._lock = asyncio.Lock()

    async def verify(self, text: str, algorithms: Sequence[str], typ: Sequence[str] = ()) -> dict[str, Any]:
        """Check a token's signature, and read its claims. Raises `Forged`, and what asking for the keys raises."""
        algorithm, key_id = _header(text, algorithms, typ)
        for key in await self.candidates(algorithm, key_id):
            try:
                registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
                claims: Any = jwt.decode(text, key, algorithms=[algorithm], registry=registry).claims
            except (JoseError, ValueError, TypeError, RecursionError):
                continue
            if is_object(claims):
                return claims
        raise Forged("no key of the provider verifies the signature")

    async def candidates(self, algorithm: str, key_id: str | None) -> list[Key]:
        """Choose the keys that may have made a signature; ask for them anew where there is none."""
        asked_at = self._asked_at
        if asked_at is None:
            await self.renew(None)
        elif self._clock() - asked_at > _STALE:
            with contextlib.suppress(Exception):  # the keys of yesterday do, until there are others
                await self.renew(asked_at)
        found = self._fitting(algorithm, key_id)
        if not found:
            await self.renew(self._asked_at)
            found = self._fitting(algorithm, key_id)
        return found

    async def renew(self, seen: float | None) -> None:
        """Ask for the keys, unless somebody has since `seen`, or within the last minute."""
        async with self._lock:
            if self._asked_at != seen:
                return
            if self._asked_at is not None and self._clock() - self._asked_at < _REST:
                return
            if self._failed is not None and self._clock() - self._failed[0] < _BREATH:
                raise self._failed[1].with_traceback(None)
            try:
                self._keys = read_keys(await self._found())
            except Exception as error:
                self._failed = (self._clock(), error)
                raise
            self._asked_at, self._failed = self._clock(), None

    def _fitting(self, algorithm: str, key_id: str | None) -> list[Key]:
        kinds = _KINDS[algorithm[:2]]
        return [
            key
            for key in self._keys
            if key.key_type in kinds
            and (key_id is None or key.kid == key_id)
            and (key.alg is None or key.alg == algorithm)
        ]


def read_keys(document: Mapping[str, Any]) -> tuple[Key, ...]:
    """Read a set of public keys; those that are of no use here are left out."""
    listed: Any = document.get("keys")
    keys: list[Key] = []
    for each in listed[:_MOST_KEYS] if is_list(listed) else []:
        if not is_object(each) or each.get("use", "sig") != "sig" or each.get("kty") == "oct":
            continue
        try:
            key = JWKRegistry.import_key(each)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, RSAKey) and key.raw_value.key_size < _SMALLEST_RSA:
            continue
        if isinstance(key, (RSAKey, ECKey, OKPKey)):
            keys.append(key)
    return tuple(keys)


def _header(text: str, algorithms: Sequence[str], typ: Sequence[str]) -> tuple[str, str | None]:
    if len(text) > _LONGEST or not text.isascii():
        raise Forged("it is no token")
    try:
        padded = text.partition(".")[0]
        header: Any = json.loads(base64.urlsafe_b64decode(padded + "=" * (-len(padded) % 4)))
        algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ")
    except (ValueError, AttributeError, RecursionError):
        raise Forged("it is no token") from None
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise Forged("its algorithm is not one that is allowed")
    if key_id is not None and not isinstance(key_id, str):
        raise Forged("its key id is no text")
    if typ and kind is not None and str(kind).lower() not in typ:
        raise Forged("it is a token of another kind")
    return algorithm, key_id


def hash_fits(claimed: Any, value: str, algorithm: str) -> bool:
    """Whether `at_hash` is that of an access token."""
    digest = _HASHES.get(algorithm[-3:], hashlib.sha512)(value.encode()).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")
    return isinstance(claimed, str) and hmac.compare_digest(half.encode(), claimed.encode(errors="replace"))


def algorithm_of(text: str) -> str:
    """Read the algorithm of a token that was verified."""
    padded = text.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(padded + "=" * (-len(padded) % 4)))["alg"])


def private_key(text: str, key_id: str | None) -> tuple[Key, dict[str, str]]:
    """Read a key of ours, PEM or JWK, and the header that goes with what it signs. Raises `ValueError`."""
    try:
        given: Any = json.loads(text) if text.lstrip().startswith("{") else text
        key = next((each for each in _imports(given) if each is not None), None)
    except (JoseError, ValueError, TypeError, KeyError):
        key = None
    if key is None or not key.is_private:
        raise ValueError("private_key is no private key of a kind that is known: RSA, EC or Ed25519, PEM or JWK")
    name = key_id or key.kid
    return key, {"alg": _algorithm(key), "typ": "JWT"} | ({"kid": name} if name else {})


def _imports(given: Any) -> list[Key | None]:
    if is_object(given):
        if given.get("kty") == "oct":
            return []
        key = JWKRegistry.import_key(given)
        return [key if isinstance(key, (RSAKey, ECKey, OKPKey)) else None]
    found: list[Key | None] = []
    for kind in (RSAKey, ECKey, OKPKey):
        try:
            found.append(kind.import_key(given))
        except (JoseError, ValueError, TypeError):
            continue
    return found


def _algorithm(key: Key) -> str:
    if isinstance(key, ECKey):
        return {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}.get(str(key.curve_name), "ES256")
    return "RS256" if isinstance(key, RSAKey) else "EdDSA"
