"""The registry of token verifiers, and the calls of one under its limits.

Owns what a verifier may return. Does not own which user it is, nor what is cached (`foreign_tokens`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, cast

from visado import codec, errors
from visado.plugins.calls import call_plugin
from visado.plugins.outcomes import is_identity
from visado.request import Connection, Request
from visado.strategy import Identity
from visado.token_verifier import TokenVerifier, Verified

MAX_CREDENTIAL_CHARACTERS: Final = 65_536
MAX_RECHECK_SECONDS: Final = 86_400
MAX_CONCURRENCY: Final = 1_000_000
_log = logging.getLogger("visado.verifiers")


@dataclass(slots=True)
class LimitedVerifier:
    """A verifier of a plugin, under its limits: time, and how many credentials it verifies at once."""

    verifier: TokenVerifier
    plugin: str
    slots: asyncio.Semaphore
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential that a verifier found in a request.

    `key` stands for it in the cache of verified tokens: the name of the verifier and a hash, since the text may be a
    password. A tuple is never equal to a text that a client sends as a token.
    """

    limited: LimitedVerifier
    text: str = field(repr=False)
    key: tuple[str, str]

    @property
    def verifier(self) -> TokenVerifier:
        """The verifier that found the credential."""
        return self.limited.verifier


class TokenVerifiers:
    """The token verifiers, in the order of their plugins' names."""

    def __init__(self, unavailable: AbstractSet[str], declare: Callable[[str, str], None]) -> None:
        """`declare` is called with the name and the plugin of a verifier; it raises `ValueError` for a taken name."""
        self._unavailable, self._declare = unavailable, declare
        self._verifiers: dict[str, LimitedVerifier] = {}

    def add(self, verifier: Any, plugin: str = "") -> None:
        """Register a verifier. Raises `TypeError` for an object that is no verifier, `ValueError` for a taken name."""
        if not isinstance(verifier, TokenVerifier):
            raise TypeError(f"a token verifier is needed, not {type(verifier).__name__}")
        if not isinstance(getattr(verifier, "name", None), str) or not verifier.name:
            raise TypeError("the name of a token verifier is a text")
        if not 0 < verifier.concurrency <= MAX_CONCURRENCY or not verifier.timeout > 0:
            raise TypeError(f"the token verifier {verifier.name!r} has an invalid concurrency or timeout")
        other = self._verifiers.get(verifier.name)
        if other is None:
            self._declare(verifier.name, plugin)
            slots = asyncio.Semaphore(verifier.concurrency)
            self._verifiers[verifier.name] = LimitedVerifier(verifier, plugin, slots)
        elif other.verifier is not verifier:
            raise ValueError(f"two token verifiers are called {verifier.name!r}")

    def drop(self, name: str) -> None:
        """Remove a verifier that was never opened, if it is registered. For the test kit, which replaces it."""
        self._verifiers.pop(name, None)

    def __len__(self) -> int:
        """Return the number of all verifiers, including those of unavailable plugins."""
        return len(self._verifiers)

    def __iter__(self) -> Iterator[TokenVerifier]:
        """Iterate over the verifiers of available plugins."""
        return (each.verifier for each in self._verifiers.values() if each.plugin not in self._unavailable)

    @property
    def names(self) -> AbstractSet[str]:
        """The names of all verifiers, including those of unavailable plugins."""
        return self._verifiers.keys()

    def is_available(self, name: str) -> bool:
        """Return whether a verifier of this name may be asked."""
        return name in self._verifiers and self._verifiers[name].plugin not in self._unavailable

    def find(self, request: Request, bearer: str | None) -> Credential | None:
        """Return the credential of a request that one of the verifiers knows first, or None.

        Where the request has a `bearer` token, a credential counts only if it contains the token. Raises
        `InvalidToken` for a credential that is too long, `InvalidVerification`, and `PluginFailed`.
        """
        for name, limited in self._verifiers.items():
            if limited.plugin in self._unavailable:
                continue
            text = _find(limited.verifier, request)
            if text is None or (bearer is not None and bearer not in text):
                continue
            if len(text) > MAX_CREDENTIAL_CHARACTERS:
                raise errors.InvalidToken
            digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
            return Credential(limited, text, (name, digest))
        return None

    def find_bearer(self, request: Request, bearer: str) -> Credential | None:
        """Return the credential that a verifier knows by a bearer token alone, without the headers of the request.

        Raises what `find` raises.
        """
        sent = request.connection
        connection = Connection(sent.transport, sent.address, sent.origin, secure=sent.secure)
        return self.find(replace(request, jwt=bearer, cookie=None, connection=connection), bearer)

    async def verify(self, credential: Credential, request: Request) -> Verified | None:
        """Return what the verifier says of a credential, within its limits.

        Raises `Overloaded` where as many credentials wait as may be verified at once, `InvalidVerification` for a
        return value of another type, `VerifierTimeout`, `PluginFailed`, and the `VisadoError` that the verifier raises.
        """
        limited, verifier = credential.limited, credential.verifier
        if limited.waiting >= verifier.concurrency:
            raise errors.Overloaded
        limited.waiting += 1
        try:
            await limited.slots.acquire()
        finally:
            limited.waiting -= 1
        try:
            verified: Any = await _call(verifier, partial(verifier.verify, credential.text, request))
        finally:
            limited.slots.release()
        if verified is not None and not _is_verified(verified):  # a plugin's types are not checked before it runs
            raise _invalid(verifier, "verify", verified)
        return cast("Verified | None", verified)

    async def open(self, quarantine: Callable[[str, str], None]) -> None:
        """Open every verifier. `quarantine` is called with the plugin and the reason where one fails to open.

        Verifiers of disabled plugins are opened too: the plugin can be enabled while the host runs.
        """
        for limited in self._verifiers.values():
            try:
                await _call(limited.verifier, limited.verifier.open)
            except errors.VisadoError as error:
                quarantine(limited.plugin, error.text)

    async def close(self) -> None:
        """Close every verifier; an error is only logged."""
        for limited in self._verifiers.values():
            try:
                await _call(limited.verifier, limited.verifier.close)
            except errors.VisadoError:
                _log.warning("the token verifier %r did not close", limited.verifier.name)


async def _call(verifier: TokenVerifier, call: Callable[[], Any]) -> Any:
    timeout_error = errors.VerifierTimeout(verifier=verifier.name, seconds=verifier.timeout)
    return await call_plugin(f'the token verifier "{verifier.name}"', verifier.timeout, call, timeout_error)


def _find(verifier: TokenVerifier, request: Request) -> str | None:
    try:
        text: Any = verifier.find(request)
    except errors.VisadoError:
        raise
    except Exception:
        _log.exception("find() of the token verifier %r failed", verifier.name)
        raise errors.PluginFailed(cause=f'the token verifier "{verifier.name}" failed') from None
    if text is None or type(text) is str:
        return text or None
    raise _invalid(verifier, "find", text)


def _invalid(verifier: TokenVerifier, method: str, returned: object) -> errors.InvalidVerification:
    _log.error("%s() of the token verifier %r returned a wrong %s", method, verifier.name, type(returned).__name__)
    return errors.InvalidVerification(verifier=verifier.name)


def _is_verified(value: Any) -> bool:
    """Return whether a plugin returned a `Verified` whose members have the right types."""
    if not isinstance(value, Verified):
        return False
    who, expires_at, recheck = cast("Any", value.who), cast("Any", value.expires_at), cast("Any", value.recheck)
    return (
        (is_identity(who) if isinstance(who, Identity) else type(who) is str and bool(who))
        and (expires_at is None or type(expires_at) is int)
        and type(recheck) in (int, float)
        and 0 <= recheck <= MAX_RECHECK_SECONDS
        and (value.allow is None or _are_action_ids(value.allow))
        and isinstance(cast("Any", value.session), Mapping)
        and codec.can_encode(value.session)
    )


def _are_action_ids(value: Any) -> bool:
    return isinstance(value, frozenset) and all(type(each) is str for each in cast("frozenset[object]", value))
