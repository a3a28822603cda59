"""Sessions: what a token remembers of its login at the provider, and logouts by the provider."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from visado import Collection, DocumentExists, Fields, Host, Query, Sealer
from visado.storage.query import And, Equals, Range
from visado_oauth.login.identities import LEEWAY_SECONDS, ProviderIdentity, identity_key
from visado_oauth.providers.provider import Grant
from visado_oauth.settings import ProviderSettings

USED_COLLECTION: Final = "oauth-logout-tokens"
_REFRESH_TOKEN: Final = "refresh token"  # noqa: S105 - a label
_MAX_DELETED: Final = 100
"""How many expired documents one logout deletes."""


class ProviderSessions:
    """The sessions of one provider's users.

    The host stores a session with its token, and deletes both together: `{iss, sub, sid, refreshToken}`. The refresh
    token is sealed, and stands in an object, so that the host does not index it.
    """

    def __init__(self, name: str, settings: ProviderSettings, host: Host, read_secret: Callable[[], str]) -> None:
        self._name, self._settings = name, settings
        self._sealer = Sealer(read_secret, f"visado-oauth {_REFRESH_TOKEN}")
        self._credentials, self._tokens, self._storage, self._clock = (
            host.credentials,
            host.tokens,
            host.storage,
            host.clock,
        )
        self._storage.declare(Collection(USED_COLLECTION))

    def start(self, identity: ProviderIdentity, grant: Grant) -> Fields:
        """Return the session of a login."""
        session: Fields = {"iss": identity.issuer, "sub": identity.sub}
        if identity.session is not None:
            session["sid"] = identity.session
        return self.renew(session, grant)

    def renew(self, session: Fields, grant: Grant) -> Fields:
        """Return a session with the refresh token of a grant, where it has one and the settings keep it."""
        if grant.refresh_token is None or not self._settings.keep_refresh_token:
            return session
        sealed = self._sealer.seal({"text": grant.refresh_token}, _REFRESH_TOKEN)
        return {**session, "refreshToken": {"sealed": sealed}}

    def refresh_token(self, session: Mapping[str, Any]) -> str | None:
        """Return the refresh token of a session, or None."""
        kept = session.get("refreshToken")
        content = None if kept is None else self._sealer.open(kept["sealed"], _REFRESH_TOKEN)
        return None if content is None else str(content["text"])

    # -- logouts by the provider

    async def use_logout_token(self, claims: Mapping[str, Any]) -> bool:
        """Mark a logout token as used, and return whether it was unused. It is forgotten once it has expired."""
        await self._delete_expired()
        key = hashlib.sha256(f"{self._name} {claims['iss']} {claims['jti']}".encode()).hexdigest()
        ends_at = int((claims["exp"] + LEEWAY_SECONDS) * 1_000)
        try:
            await self._storage.create(USED_COLLECTION, key, {"endsAt": ends_at})
        except DocumentExists:
            return False
        return True

    async def _delete_expired(self) -> None:
        expired = Query(Range("endsAt", lte=self._clock()), limit=_MAX_DELETED)
        for key, _ in (await self._storage.search(USED_COLLECTION, expired)).hits:
            await self._storage.delete(USED_COLLECTION, key)

    async def end(self, claims: Mapping[str, Any]) -> None:
        """Revoke the tokens that a logout token names, and notify open sockets.

        Those of one session of the provider, where it names one; otherwise all tokens of the user.
        """
        issuer, session = claims["iss"], claims.get("sid")
        if isinstance(session, str) and session:
            await self._tokens.revoke_of(self._name, iss=issuer, sid=session)
            return
        for user_id in await self._users_of(issuer, claims["sub"]):
            await self._tokens.revoke_all(user_id, notify=True, strategy=self._name)

    async def _users_of(self, issuer: str, sub: str) -> list[str]:
        if self._settings.identifier == "sub":
            stored = await self._credentials.get(self._name, identity_key(issuer, sub))
            return [] if stored is None else [str(stored["userId"])]
        named = And((Equals("issuer", issuer), Equals("sub", sub)))
        page = await self._credentials.search(self._name, Query(named))
        return [str(stored["userId"]) for _, stored in page.hits]
