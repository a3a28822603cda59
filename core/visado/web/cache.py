"""ResponseCache to pure reads, remembered as bytes: who asks the same again is answered without work.

One rule says how long an answer is good: until something is written or a plugin is switched, and as long as every token
that was verified for it is remembered and has not ended. What is written about tokens does not count for the first
half: the second knows.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final

from visado.controller import ActionTable
from visado.metrics import Metrics
from visado.pipeline import Pipeline
from visado.request import Response
from visado.security.access import Access
from visado.storage.versions import Version, VersionedCache

_REMEMBERED: Final = 4_096
_LARGEST: Final = 8_192
PLAIN_ID: Final = r"[A-Za-z0-9_.:-]{8,64}"
"""Ids of requests that stand in an answer as they were sent."""


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """An answer without the id of its request, which stands between the parts; its headers are those of its own."""

    parts: list[bytes]
    headers: list[tuple[bytes, bytes]]
    head: bytes
    """Those headers, as they are written."""
    depends_on: tuple[tuple[str, Any], ...]
    label: str
    user_id: str
    token_id: str | None
    limit: int

    def body(self, request_id: str) -> bytes:
        """The answer to a request of this id."""
        return request_id.encode().join(self.parts)


def head_of(headers: list[tuple[bytes, bytes]]) -> bytes:
    """The headers, as they are written."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


class ResponseCache:
    """The answers that are good, by whatever an end tells equal requests by; their ids are as `PLAIN_ID` wants them."""

    def __init__(
        self, pipeline: Pipeline, table: ActionTable, access: Access, version: Version, metrics: Metrics
    ) -> None:
        self._pipeline, self._table, self._access = pipeline, table, access
        self._metrics = metrics
        self._cache = VersionedCache[CachedResponse](version, _REMEMBERED)
        self._asked: set[int] = set()

    @property
    def version(self) -> int:
        """The present, for `keep`: ask before the request is run."""
        return self._cache.version

    def find(self, key: Hashable) -> CachedResponse | None:
        """The answer to an equal request, if it is still good and the user's rate limit admits another."""
        answer = self._cache.get(key)
        if answer is None or self._pipeline.stopping:
            return None
        if not self._access.tokens.still_valid(answer.depends_on):
            return None
        if answer.limit and not self._pipeline.admits(answer.user_id, answer.limit):
            return None
        self._metrics.count(answer.label, 200)
        return answer

    def again(self, key: Hashable) -> bool:
        """Whether an equal request was asked before, of late.

        What is asked once is not worth the room, nor are more requests in turn than there is room for.
        """
        asked = hash(key)
        if asked in self._asked:
            return True
        if len(self._asked) >= _REMEMBERED:
            self._asked.clear()
        self._asked.add(asked)
        return False

    def keep(
        self,
        key: Hashable,
        response: Response,
        body: bytes,
        headers: list[tuple[bytes, bytes]],
        version: int,
        named: int,
    ) -> None:
        """Remember an answer, if that is possible: its body as it was sent, and its own headers but for the id.

        The envelope names the request's id so many times. Where it stands elsewhere, too, since a client may choose
        `getCurrentUser`, the next answer would have another id in the place of that.
        """
        request = response.request
        if request is None or request.depends_on is None or len(body) > _LARGEST:
            return
        action = self._table.get(request.controller, request.action)
        if response.status != 200 or response.reply.cookies or action is None or not action.cacheable:  # noqa: PLR2004
            return
        parts = body.split(response.request_id.encode())
        if response.reply.raw or len(parts) != named + 1:
            return
        answer = CachedResponse(
            parts=parts,
            headers=headers,
            head=head_of(headers),
            depends_on=tuple(request.depends_on),
            label=action.id,
            user_id=request.user.id,
            token_id=request.token.id if request.token else None,
            limit=self._access.profiles.rate_limit(request.user),
        )
        self._cache.set(key, answer, version)
