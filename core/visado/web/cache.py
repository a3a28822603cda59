"""The cache of whole responses: an equal request of a cacheable action is answered with bytes.

A cached response is good for one version of what the host stores (`storage.versions`), and only while every token that
was verified for it is remembered and has not expired. Writes of tokens do not raise the version: the second condition
covers them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from visado.controller import ActionTable
from visado.metrics import Metrics
from visado.pipeline import Pipeline
from visado.request import Connection
from visado.response import Response
from visado.security.access import Access
from visado.security.tokens.verified_tokens import TokenKey
from visado.storage.bounded import BoundedDict
from visado.storage.versions import Version, VersionedCache

_MAX_RESPONSES: Final = 4_096
_MAX_BODY_BYTES: Final = 8_192
_OK: Final = 200
PLAIN_ID: Final = r"[A-Za-z0-9_.:-]{8,64}"
"""Request ids that JSON writes as they are, so that another id can take their place in a body."""


def head_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return headers as HTTP/1.1 writes them."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """A response without its request's id, which stands between the parts of the body."""

    parts: list[bytes]
    headers: list[tuple[bytes, bytes]]
    head: bytes
    """The headers as HTTP/1.1 writes them."""
    depends_on: tuple[tuple[TokenKey, Any], ...]
    label: str
    user_id: str
    token_id: str | None
    rate_limit: int

    def body(self, request_id: str) -> bytes:
        """Return the body for a request of this id."""
        return request_id.encode().join(self.parts)


class ResponseCache:
    """The responses of one version, by the key that a transport makes of a request without its id."""

    def __init__(
        self, pipeline: Pipeline, table: ActionTable, access: Access, version: Version, metrics: Metrics
    ) -> None:
        self._pipeline, self._table, self._access, self._metrics = pipeline, table, access, metrics
        self._responses = VersionedCache[CachedResponse](version, _MAX_RESPONSES)
        self._asked = BoundedDict[int, bool](_MAX_RESPONSES)

    @property
    def version(self) -> int:
        """The present version, for `remember`: read it before the request runs."""
        return self._responses.version

    def digest_upgrade(self, connection: Connection) -> bytes | None:
        """Return a hash of an upgrade, in which a verifier may find a credential; None where no verifier exists.

        The key of the handshake is left out: each socket has another.
        """
        if not self._access.foreign_tokens.verifiers:
            return None
        head = connection.head
        headers = [each for each in head.headers if each[0] != b"sec-websocket-key"]
        text = repr((head.path, head.query_string, head.client and head.client[0], headers))
        return hashlib.sha256(text.encode()).digest()

    def ask(self, key: Hashable) -> CachedResponse | None:
        """Return the response to an equal request; None if it is outdated or the user's rate limit is reached."""
        cached = self._responses.get(key)
        if cached is None or self._pipeline.stopping:
            return None
        if not self._access.tokens.verified.still_valid(cached.depends_on):
            return None
        if cached.rate_limit and not self._pipeline.admits(cached.user_id, cached.rate_limit):
            return None
        self._metrics.count(cached.label, _OK)
        return cached

    def remember(
        self,
        key: Hashable,
        version: int,
        response: Response,
        body: bytes,
        headers: list[tuple[bytes, bytes]],
        *,
        ids_in_envelope: int = 1,
    ) -> None:
        """Remember a response if its action is cacheable and an equal request came before.

        The envelope in `body` holds the request's id `ids_in_envelope` times. A body that holds the id elsewhere too
        is not remembered: a client may choose an id such as `getCurrentUser`.
        """
        request = response.request
        if request is None or request.depends_on is None or len(body) > _MAX_BODY_BYTES:
            return
        action = self._table.get(request.controller, request.action)
        if action is None or not action.cacheable or response.status != _OK:
            return
        if response.reply.cookies or response.reply.raw or not self._came_before(key):
            return
        parts = body.split(response.request_id.encode())
        if len(parts) != ids_in_envelope + 1:
            return
        cached = CachedResponse(
            parts=parts,
            headers=headers,
            head=head_of(headers),
            depends_on=tuple(request.depends_on),
            label=action.id,
            user_id=request.user.id,
            token_id=request.token.id if request.token else None,
            rate_limit=self._access.profiles.rate_limit(request.user),
        )
        self._responses.set(key, cached, version)

    def _came_before(self, key: Hashable) -> bool:
        """Return whether an equal request came before: a response that is asked for once is not worth the memory."""
        digest = hash(key)
        if self._asked.get(digest):
            return True
        self._asked.set(digest, True)
        return False
