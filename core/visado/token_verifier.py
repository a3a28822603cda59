"""Token verifiers: the interface of a credential on any request that the host did not issue.

Owns the interface. Does not own the registry of verifiers, nor the cache of what they verified (`security.tokens`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visado.request import Request
from visado.strategy import AccountRules, Identity


@dataclass(frozen=True, slots=True)
class Verified:
    """A credential that is valid now, and whose it is: a user's id, or an identity.

    The host does not ask again for `recheck` seconds, at most a day, nor after `expires_at`, in ms since 1970; None
    where the credential does not say. `session` is `request.token.session`, as JSON. `allow` are the ids of the only
    actions that the credential may run, such as `auth:getCurrentUser`; None: all that its user may.
    """

    who: str | Identity
    expires_at: int | None = None
    recheck: float = 60.0
    session: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    allow: frozenset[str] | None = None


class TokenVerifier(ABC):
    """Verifies credentials that the host did not issue: JWTs of an issuer, a proxy's header, a certificate, Basic.

    The host asks it only where a request has no token of the host's. What it verified is cached with the host's tokens:
    rights, rate limits and cached responses work alike.

    An error of `visado.errors` that a method raises is sent to the client as it is. Any other exception becomes a 500
    `plugin.runtime.unexpected_error`, whose cause is in the log only. No request succeeds as a user by an error.
    """

    name: str
    """The name of the verifier: identities are linked under it, and `[accounts.NAME]` holds its rules."""
    accounts: AccountRules = AccountRules()
    """What the host does with an identity, where the settings say nothing else."""
    timeout: float = 5.0
    """The time limit of each call, in seconds."""
    concurrency: int = 64
    """How many calls of `verify` run at once. As many wait; the next request is refused with `errors.Overloaded`."""

    async def open(self) -> None:
        """Start threads and connections. The storage is open. Raise an error if the verifier can never work."""
        return

    async def close(self) -> None:
        """Stop threads and close connections. The storage is still open."""
        return

    @abstractmethod
    def find(self, request: Request) -> str | None:
        """Return the credential of a request that the verifier knows, or None. Look only: do not wait or raise.

        Called for each request without a token of the host's. `request.jwt` is the text of a bearer token, over HTTP
        and WebSocket; `request.header` reads the headers of the HTTP request, or of the upgrade to a WebSocket. The
        host caches the result of `verify` by the text that `find` returns, so the text contains all that `verify`
        depends on. If the request has a bearer token, the text contains it: the host ignores any other credential.

        A browser may send any other header without being asked. The host therefore treats what a verifier does not know
        by the bearer token alone like its cookie: pages of other origins cannot use it.
        """

    @abstractmethod
    async def verify(self, credential: str, request: Request) -> Verified | None:
        """Return whose a credential is, or None for an invalid one: the response is 401 `security.token.invalid`.

        Of equal credentials at once, one call decides; `request` is one of the requests.
        """

    def problem(self) -> str | None:
        """Return why the verifier cannot work at the moment, for the operator, or None. Called often: do not wait."""
        return None
