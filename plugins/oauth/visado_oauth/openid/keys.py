"""Keys: the public keys of providers, which verify tokens, and private keys of this host. The only user of joserfc."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from visado_oauth.errors import TokenRejected
from visado_oauth.openid.json_values import is_list, is_object

AsymmetricKey: TypeAlias = RSAKey | ECKey | OKPKey
FetchKeySet: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]

_FETCH_INTERVAL_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 5.0
_MAX_AGE_SECONDS: Final = 86_400.0
_MAX_KEYS: Final = 100
_MAX_TOKEN_CHARACTERS: Final = 65_536
_MIN_RSA_BITS: Final = 2_048
_KEY_TYPES: Final = {"RS": ("RSA",), "PS": ("RSA",), "ES": ("EC",), "Ed": ("OKP",)}
_HASHES: Final = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


class ProviderKeys:
    """The keys of one provider, cached for a day and fetched again when a token names an unknown key.

    The provider is asked at most once a minute, however many tokens name unknown keys. `clock` is monotonic, in
    seconds.
    """

    def __init__(self, fetch: FetchKeySet, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._clock = fetch, clock
        self._keys: tuple[AsymmetricKey, ...] = ()
        self._fetched_at: float | None = None
        self._failed: tuple[float, Exception] | None = None
        self._lock = asyncio.Lock()

    async def verify(self, text: str, algorithms: Sequence[str], types: Sequence[str] = ()) -> dict[str, Any]:
        """Verify a token's signature, and return its claims. `types` are the allowed values of the header `typ`.

        Raises `TokenRejected`, and as the fetch of the keys.
        """
        algorithm, key_id = _read_header(text, algorithms, types)
        for key in await self.candidates(algorithm, key_id):
            try:
                registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
                claims: Any = jwt.decode(text, key, algorithms=[algorithm], registry=registry).claims
            except (JoseError, ValueError, TypeError, RecursionError):
                continue
            if is_object(claims):
                return claims
        raise TokenRejected("no key of the provider verifies the signature")

    async def candidates(self, algorithm: str, key_id: str | None) -> list[AsymmetricKey]:
        """Return the keys that may have made a signature, after a fetch where none is known."""
        fetched_at = self._fetched_at
        if fetched_at is None:
            await self.fetch(None)
        elif self._clock() - fetched_at > _MAX_AGE_SECONDS:
            with contextlib.suppress(Exception):  # old keys remain usable until the provider responds
                await self.fetch(fetched_at)
        keys = self._matching(algorithm, key_id)
        if not keys:
            await self.fetch(self._fetched_at)
            keys = self._matching(algorithm, key_id)
        return keys

    async def fetch(self, last_seen: float | None) -> None:
        """Fetch the keys, unless another task has since `last_seen`, or any task within the last minute."""
        async with self._lock:
            if self._fetched_at != last_seen:
                return
            if self._fetched_at is not None and self._clock() - self._fetched_at < _FETCH_INTERVAL_SECONDS:
                return
            if self._failed is not None and self._clock() - self._failed[0] < _RETRY_SECONDS:
                raise self._failed[1].with_traceback(None)
            try:
                self._keys = read_key_set(await self._fetch())
            except Exception as error:
                self._failed = (self._clock(), error)
                raise
            self._fetched_at, self._failed = self._clock(), None

    def _matching(self, algorithm: str, key_id: str | None) -> list[AsymmetricKey]:
        key_types = _KEY_TYPES[algorithm[:2]]
        return [
            key
            for key in self._keys
            if key.key_type in key_types
            and (key_id is None or key.kid == key_id)
            and (key.alg is None or key.alg == algorithm)
        ]


def read_key_set(document: Mapping[str, Any]) -> tuple[AsymmetricKey, ...]:
    """Return the keys of a JWK set that can verify signatures, at most 100."""
    listed: Any = document.get("keys")
    keys: list[AsymmetricKey] = []
    for each in listed[:_MAX_KEYS] if is_list(listed) else []:
        if not is_object(each) or each.get("use", "sig") != "sig" or each.get("kty") == "oct":
            continue
        try:
            key = JWKRegistry.import_key(each)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, RSAKey) and key.raw_value.key_size < _MIN_RSA_BITS:
            continue
        if isinstance(key, (RSAKey, ECKey, OKPKey)):
            keys.append(key)
    return tuple(keys)


def _read_header(text: str, algorithms: Sequence[str], types: Sequence[str]) -> tuple[str, str | None]:
    """Return algorithm and key id of a token. Raises `TokenRejected`."""
    if len(text) > _MAX_TOKEN_CHARACTERS or not text.isascii():
        raise TokenRejected("it is not a token")
    try:
        header: Any = _decode_header(text)
        algorithm, key_id, token_type = header.get("alg"), header.get("kid"), header.get("typ")
    except (ValueError, AttributeError, RecursionError):
        raise TokenRejected("it is not a token") from None
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise TokenRejected("its algorithm is not allowed")
    if key_id is not None and not isinstance(key_id, str):
        raise TokenRejected("its key id is not a text")
    if types and token_type is not None and str(token_type).lower() not in types:
        raise TokenRejected("it is a token of another type")
    return algorithm, key_id


def _decode_header(text: str) -> Any:
    encoded = text.partition(".")[0]
    return json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))


def matches_hash(claimed: Any, access_token: str, algorithm: str) -> bool:
    """Return whether the claim `at_hash` is that of an access token. `algorithm` is that of the ID token."""
    digest = _HASHES.get(algorithm[-3:], hashlib.sha512)(access_token.encode()).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")
    return isinstance(claimed, str) and hmac.compare_digest(half.encode(), claimed.encode(errors="replace"))


def token_algorithm(text: str) -> str:
    """Return the algorithm of a token that is verified."""
    return str(_decode_header(text)["alg"])


def read_private_key(text: str, key_id: str | None) -> tuple[AsymmetricKey, dict[str, str]]:
    """Return a private key, given in PEM or JWK, and the header of tokens that it signs. Raises `ValueError`."""
    try:
        given: Any = json.loads(text) if text.lstrip().startswith("{") else text
        key = next((each for each in _import_key(given) if each is not None), None)
    except (JoseError, ValueError, TypeError, KeyError):
        key = None
    if key is None or not key.is_private:
        raise ValueError("private_key must be a private RSA, EC or Ed25519 key in PEM or JWK")
    name = key_id or key.kid
    return key, {"alg": _algorithm_of(key), "typ": "JWT"} | ({"kid": name} if name else {})


def _import_key(given: Any) -> list[AsymmetricKey | None]:
    if is_object(given):
        if given.get("kty") == "oct":
            return []
        key = JWKRegistry.import_key(given)
        return [key if isinstance(key, (RSAKey, ECKey, OKPKey)) else None]
    keys: list[AsymmetricKey | None] = []
    for key_type in (RSAKey, ECKey, OKPKey):
        try:
            keys.append(key_type.import_key(given))
        except (JoseError, ValueError, TypeError):
            continue
    return keys


def _algorithm_of(key: AsymmetricKey) -> str:
    if isinstance(key, ECKey):
        return {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}.get(str(key.curve_name), "ES256")
    return "RS256" if isinstance(key, RSAKey) else "EdDSA"
